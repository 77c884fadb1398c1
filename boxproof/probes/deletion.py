"""How a deleted pod ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from boxproof.errors import EnvironmentFault
from boxproof.kube.client import Kube
from boxproof.probes import ledger
from boxproof.wait import NotYet, until

HOLD = "boxproof.dev/hold"


@dataclass(frozen=True)
class Deletion:
    """The exit code of a deleted pod's container, and the whole seconds it took to end."""

    code: int
    seconds: float


def deletion(kube: Kube, namespace: str, pod: str, container: str = "", *, timeout: float = 120) -> Deletion:
    """Delete a pod and return how its container ("" is the first) ended; raises EnvironmentFault.

    A finalizer keeps the pod's last state readable until it has been seen.
    """
    path = kube.path("Pod", pod, namespace)
    kube.patch(path, {"metadata": {"finalizers": [HOLD]}})
    try:
        kube.delete([{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod, "namespace": namespace}}])
        found = until(
            lambda: _ended(kube, namespace, pod, container), timeout=timeout, what=f"end of pod {pod}"
        )
    finally:
        kube.patch(path, {"metadata": {"finalizers": None}})
    ledger.record("deletion", f"{namespace}/{pod}", found, decides=found.code)
    return found


def _ended(kube: Kube, namespace: str, pod: str, container: str) -> Deletion:
    live = kube.get("Pod", pod, namespace)
    grace = live["metadata"].get("deletionGracePeriodSeconds")
    if grace is None:
        raise EnvironmentFault(f"pod {namespace}/{pod} is not being deleted")
    states = live["status"].get("containerStatuses", [])
    state: dict[str, Any] = next((each["state"] for each in states if container in ("", each["name"])), {})
    if "terminated" not in state:
        raise NotYet(str(state))
    ended = state["terminated"]
    asked = datetime.fromisoformat(live["metadata"]["deletionTimestamp"]).timestamp() - grace
    seconds = datetime.fromisoformat(ended["finishedAt"]).timestamp() - asked
    return Deletion(int(ended["exitCode"]), seconds)
