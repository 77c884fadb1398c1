"""Changes that lose what the box must keep."""

from __future__ import annotations

from typing import Any

from boxproof.proof.sabotages import Objects, find, image_sabotage, manifest_sabotage


def _statefulset(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = find(objects, "StatefulSet")["spec"]
    return spec


def _pod(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = _statefulset(objects)["template"]["spec"]
    return spec


def _volume(objects: Objects) -> str:
    return str(_statefulset(objects)["volumeClaimTemplates"][0]["metadata"]["name"])


def _mounts(objects: Objects) -> list[dict[str, Any]]:
    """Return the mounts of the claimed volume."""
    name = _volume(objects)
    every = [each for container in _pod(objects)["containers"] for each in container.get("volumeMounts", ())]
    return [each for each in every if each["name"] == name]


def _to_emptydir(objects: Objects) -> None:
    volume = {"name": _volume(objects), "emptyDir": {}}
    _pod(objects).setdefault("volumes", []).append(volume)
    del _statefulset(objects)["volumeClaimTemplates"]


@manifest_sabotage("pvc-bound", "the claim asks for a storage class that nobody serves")
def no_such_class(objects: Objects) -> None:
    _statefulset(objects)["volumeClaimTemplates"][0]["spec"]["storageClassName"] = "nope"


@manifest_sabotage("pvc-mounted-at-real-home", "the volume is mounted in root's home")
def in_roots_home(objects: Objects) -> None:
    _mounts(objects)[0]["mountPath"] = "/root/.claude"


@manifest_sabotage("pvc-owned-by-app-uid", "the pod has no fsGroup")
def without_fsgroup(objects: Objects) -> None:
    del _pod(objects)["securityContext"]["fsGroup"]


@manifest_sabotage("pvc-survives-pod-deletion", "an emptyDir in place of the claim")
def emptydir(objects: Objects) -> None:
    _to_emptydir(objects)


@manifest_sabotage("pvc-survives-statefulset-deletion", "the claim goes when the StatefulSet goes")
def when_deleted_delete(objects: Objects) -> None:
    _statefulset(objects)["persistentVolumeClaimRetentionPolicy"] = {
        "whenDeleted": "Delete",
        "whenScaled": "Retain",
    }


@manifest_sabotage(
    "statefulset-stable-identity", "a Deployment with a named claim in place of the StatefulSet"
)
def deployment(objects: Objects) -> None:
    workload = find(objects, "StatefulSet")
    spec = workload["spec"]
    template = spec["volumeClaimTemplates"][0]
    meta = {"name": template["metadata"]["name"], "namespace": workload["metadata"]["namespace"]}
    objects.append(
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": template["spec"]}
    )
    volume = {"name": meta["name"], "persistentVolumeClaim": {"claimName": meta["name"]}}
    _pod(objects).setdefault("volumes", []).append(volume)
    workload["kind"] = "Deployment"
    workload["spec"] = {key: spec[key] for key in ("replicas", "selector", "template")}


@manifest_sabotage("auth-survives-restart-and-recreate", "the volume is not mounted")
def no_volume_mount(objects: Objects) -> None:
    name = _volume(objects)
    for container in _pod(objects)["containers"]:
        container["volumeMounts"] = [each for each in container["volumeMounts"] if each["name"] != name]


image_sabotage(
    "config-elsewhere",
    "auth-survives-restart-and-recreate",
    "the image tells the CLI to keep its login beside the volume",
    dockerfile="ENV CLAUDE_CONFIG_DIR=/tmp/claude",
)
