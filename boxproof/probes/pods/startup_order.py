"""Which containers of a pod have started, and what the first one could give away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_claims.recording.observations import record

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def first(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the container that starts before the others; a pod without init containers has its main one."""
    return dict([*(spec.get("initContainers") or []), *spec["containers"]][0])


def gate_ended(pod: Mapping[str, Any]) -> bool:
    """Return whether the first container has ended well."""
    name = first(pod["spec"])["name"]
    for each in _statuses(pod):
        if each["name"] == name:
            return bool(each.get("state", {}).get("terminated", {}).get("exitCode") == 0)
    return False


def started(pod: Mapping[str, Any]) -> list[str]:
    """Return the containers that have started so far, in the pod's order; an observation."""
    names = [each["name"] for each in _statuses(pod) if _began(each)]
    record("started", str(pod["metadata"]["name"]), names)
    return names


def secrets_of(spec: Mapping[str, Any], container: Mapping[str, Any]) -> list[str]:
    """Return what a container is given of Secrets and of the account's token; an observation.

    In a spec as written the token counts too, which the API server mounts wherever nothing else is in its
    place.
    """
    found = [f"env {each['name']}" for each in container.get("env") or [] if "secretKeyRef" in _from(each)]
    found += [f"env from {each['secretRef']['name']}" for each in _all(container) if "secretRef" in each]
    mounts = {each["name"]: each["mountPath"] for each in container.get("volumeMounts") or []}
    found += [
        f"volume {each['name']}"
        for each in spec.get("volumes") or []
        if each["name"] in mounts and _is_secret(each)
    ]
    if spec.get("automountServiceAccountToken", True) and ACCOUNT not in mounts.values():
        found.append("the account's token")
    record("secrets of a container", str(container["name"]), found, decides=bool(found))
    return found


def _statuses(pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _began(status: Mapping[str, Any]) -> bool:
    now = status.get("state", {})
    return "running" in now or "terminated" in now or status.get("restartCount", 0) > 0


def _from(variable: Mapping[str, Any]) -> Mapping[str, Any]:
    return variable.get("valueFrom") or {}


def _all(container: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(container.get("envFrom") or [])


def _is_secret(volume: Mapping[str, Any]) -> bool:
    parts = (volume.get("projected") or {}).get("sources") or []
    return "secret" in volume or any("secret" in each or "serviceAccountToken" in each for each in parts)
