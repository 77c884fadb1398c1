"""How a deleted pod ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from boxproof.kube.client import Kube, Object
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.recording import observations


@dataclass(frozen=True)
class Deletion:
    """The exit code of a deleted pod's container, and the whole seconds it took to end."""

    code: int
    seconds: float


def deletion(kube: Kube, namespace: str, pod: str, container: str = "", *, timeout: float = 120) -> Deletion:
    """Delete a pod and return how its container ("" is the first) ended.

    Its last state is read from a watch that is opened before it is deleted: nothing is put on the pod.
    ``timeout`` is seconds. Raises DeadlineExceeded, EnvironmentFault.
    """
    version = kube.get("Pod", pod, namespace)["metadata"]["resourceVersion"]
    pods, name = kube.path("Pod", "", namespace), f"metadata.name={pod}"
    with kube.watching(pods, since=version, fields=name, timeout=timeout) as events:
        kube.delete([{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod, "namespace": namespace}}])
        found = _ended(events, container)
    if found is None:
        raise DeadlineExceeded(f"end of pod {namespace}/{pod}: not seen within {timeout:.0f} s")
    observations.record("deletion", f"{namespace}/{pod}", found, decides=found.code)
    return found


def _ended(events: Iterable[Object], container: str) -> Deletion | None:
    """Return how the container ended, None if the pod went, or the watch ended, without that."""
    for event in events:
        live = event["object"]
        grace = live["metadata"].get("deletionGracePeriodSeconds")
        states = live["status"].get("containerStatuses", [])
        state: dict[str, Any] = next(
            (each["state"] for each in states if container in ("", each["name"])), {}
        )
        if grace is not None and "terminated" in state:
            ended = state["terminated"]
            asked = datetime.fromisoformat(live["metadata"]["deletionTimestamp"]).timestamp() - grace
            seconds = datetime.fromisoformat(ended["finishedAt"]).timestamp() - asked
            return Deletion(int(ended["exitCode"]), seconds)
        if event["type"] == "DELETED":
            return None
    return None
