"""Derives a further instance from rendered objects: another namespace, a suffix on what is cluster-scoped."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

Objects = list[dict[str, Any]]
CLUSTER_SCOPED = frozenset(
    {
        "APIService", "CSIDriver", "ClusterIssuer", "ClusterRole", "ClusterRoleBinding",
        "CustomResourceDefinition", "IngressClass", "MutatingWebhookConfiguration", "Namespace",
        "PersistentVolume", "PriorityClass", "RuntimeClass", "StorageClass",
        "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration",
        "VolumeSnapshotClass",
    }
)  # fmt: skip
# their names say what they serve: there is one of each, and all instances have it
DEFINITIONS = frozenset({"APIService", "CustomResourceDefinition"})
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
ACCOUNTS = ("system:serviceaccount:{}:", "system:serviceaccounts:{}")


def derive(objects: Sequence[dict[str, Any]], *, namespace: str, suffix: str, old: str = "") -> Objects:
    """Return copies of ``objects`` as the instance ``suffix`` in ``namespace``; without one names stay.

    ``old`` is the namespace they are moved out of, their Namespace's where it is not said.

    Only the subject's own namespace is replaced: a reference to another one is kept, wrong or not,
    because whether it is wrong is what a check finds out.
    """
    made = copy.deepcopy(list(objects))
    old = old or next((each["metadata"]["name"] for each in made if each["kind"] == "Namespace"), "")
    old = old or next((each["metadata"].get("namespace", "") for each in made), "")
    renamed = {
        (each["kind"], each["metadata"]["name"]): f"{each['metadata']['name']}-{suffix}"
        for each in made
        if suffix and each["kind"] in CLUSTER_SCOPED - DEFINITIONS - {"Namespace"}
    }
    for each in made:
        _move(each, old, namespace, renamed)
    return made


def _move(item: dict[str, Any], old: str, new: str, renamed: dict[tuple[str, str], str]) -> None:
    metadata = item["metadata"]
    key = (item["kind"], metadata["name"])
    if item["kind"] == "Namespace" and metadata["name"] == old:
        metadata["name"] = new
    metadata["name"] = renamed.get(key, metadata["name"])
    if metadata.get("namespace") == old:
        metadata["namespace"] = new
    if "roleRef" in item:
        reference = item["roleRef"]
        reference["name"] = renamed.get((reference["kind"], reference["name"]), reference["name"])
    for subject in item.get("subjects") or []:
        _move_subject(subject, old, new)
    _move_references(item, old, new, renamed)


def _move_subject(subject: dict[str, Any], old: str, new: str) -> None:
    if subject.get("namespace") == old:
        subject["namespace"] = new
    one, many = (each.format(old) for each in ACCOUNTS)
    if subject["name"].startswith(one):
        subject["name"] = ACCOUNTS[0].format(new) + subject["name"].removeprefix(one)
    if subject["name"] == many:
        subject["name"] = ACCOUNTS[1].format(new)


def _move_references(value: Any, old: str, new: str, renamed: dict[tuple[str, str], str]) -> None:
    """Follow the references that can stand anywhere below: namespace selectors, classes, volumes."""
    kinds = {"storageClassName": "StorageClass", "priorityClassName": "PriorityClass"}
    kinds |= {"runtimeClassName": "RuntimeClass", "volumeName": "PersistentVolume"}
    kinds |= {"policyName": "ValidatingAdmissionPolicy"}
    if isinstance(value, list):
        for each in value:
            _move_references(each, old, new, renamed)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key in kinds and isinstance(each, str):
                value[key] = renamed.get((kinds[key], each), each)
            elif key == NAMESPACE_LABEL and each == old:
                value[key] = new
            else:
                _move_references(each, old, new, renamed)
