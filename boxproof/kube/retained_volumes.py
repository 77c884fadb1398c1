"""Volumes that outlive their claims, let go with what they belong to."""

from __future__ import annotations

from collections.abc import Collection

from boxproof.kube.client import Kube


def let_go(kube: Kube, namespaces: Collection[str], classes: Collection[str] = ()) -> None:
    """Have the retained volumes of ``namespaces`` and storage ``classes`` deleted with their claims.

    Raises EnvironmentFault if the API server does not answer.
    """
    for each in kube.list("PersistentVolume"):
        spec = each["spec"]
        theirs = spec.get("claimRef", {}).get("namespace") in namespaces
        if not theirs and spec.get("storageClassName") not in classes:
            continue
        if spec.get("persistentVolumeReclaimPolicy") == "Retain":
            path = kube.path("PersistentVolume", each["metadata"]["name"])
            kube.patch(path, {"spec": {"persistentVolumeReclaimPolicy": "Delete"}})
