"""Pods that have a kubelet change the modes of what is on their claims, at each of their starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from boxproof.subject.manifests.pod_specs import pod_spec


def reopened(objects: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the objects whose pods have a group of files, mount a claim, and do not look at its root first.

    Without OnRootMismatch the kubelet gives each file there to the group, to be read and written, whenever
    such a pod starts: storage of other kinds than a node's directory does so.
    """
    found = []
    for each in objects:
        spec = pod_spec(each) or {}
        security = spec.get("securityContext") or {}
        claims = [one for one in spec.get("volumes") or () if "persistentVolumeClaim" in one]
        claims += (each.get("spec") or {}).get("volumeClaimTemplates") or ()
        grouped = security.get("fsGroup") is not None and claims
        if grouped and security.get("fsGroupChangePolicy") != "OnRootMismatch":
            found.append(f"{each['kind']}/{each['metadata']['name']}")
    return found
