"""Small pods of our own, their storage, and how a pod's containers got on."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from boxproof.kube.client import Kube, NotFound
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import observations
from pytest_claims.waiting import NotYet, until

LABELS = {"app.kubernetes.io/managed-by": "boxproof"}
IDLE = ("sleep", "infinity")
PULL_FAILED = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName")
STUCK = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff")
START = 90.0  # seconds until a pod of ours has a running container or a reason why not


@dataclass(frozen=True)
class Start:
    """How far a pod came ("running", "ended", "no image" or a reason), and the pull policies it had."""

    state: str
    policies: tuple[str, ...]


def unique(stem: str) -> str:
    """Return a name that no other check uses."""
    return f"{stem}-{uuid.uuid4().hex[:8]}"


def pod(name: str, namespace: str, image: str, argv: Sequence[str], **container: Any) -> dict[str, Any]:
    """Return a pod with one container "main" that ends at once when told to; more of its fields by name."""
    main = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": list(argv)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(LABELS)},
        "spec": {
            "containers": [main | container],
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
        },
    }


def worker(kube: Kube) -> str:
    """Return a node that takes any pod; raises EnvironmentFault if there is none."""
    return workers(kube)[0]


def workers(kube: Kube) -> list[str]:
    """Return the nodes that take any pod; raises EnvironmentFault if there is none."""
    found = [
        str(each["metadata"]["name"])
        for each in kube.list("Node")
        if not any(taint["effect"] != "PreferNoSchedule" for taint in each["spec"].get("taints") or ())
    ]
    if not found:
        raise EnvironmentFault("no node takes pods without a toleration")
    return found


@contextmanager
def applied(kube: Kube, *objects: dict[str, Any]) -> Iterator[None]:
    """Have ``objects`` in the cluster for the length of the block."""
    kube.apply(list(objects))
    try:
        yield
    finally:
        kube.delete(list(objects))


def start_of(kube: Kube, namespace: str, name: str, *, timeout: float = START) -> Start:
    """Return how a pod got on once all its containers run, have ended, or one cannot start.

    Raises DeadlineExceeded after ``timeout`` seconds without either.
    """

    def look() -> Start:
        found = kube.get("Pod", name, namespace)
        policies = tuple(
            str(each.get("imagePullPolicy"))
            for group in ("initContainers", "containers")
            for each in found["spec"].get(group) or ()
        )
        return Start(state_of(found), policies)

    seen = until(look, timeout=timeout, what=f"start of pod {name}", transient=(NotFound,))
    observations.record("start", name, seen)
    return seen


def state_of(found: Mapping[str, Any]) -> str:
    """Return how far a live pod came, as ``start_of`` says it; raises NotYet while that is open."""
    status = found.get("status", {})
    every = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    states = [each.get("state", {}) for each in every]
    for each in states:
        reason = each.get("waiting", {}).get("reason", "")
        if reason in PULL_FAILED:
            return "no image"
        if reason in STUCK:
            return str(reason)
    mains = [each.get("state", {}) for each in status.get("containerStatuses", ())]
    if mains and all("running" in each for each in mains):
        return "running"
    if mains and all("terminated" in each for each in mains):
        return "ended"
    raise NotYet(f"{status.get('phase', 'no status')}: {states}")


def restless(name: str, namespace: str, image: str) -> dict[str, Any]:
    """Return a Deployment of one pod of ours: the workload whose pods have no name of their own."""
    labels = {"boxproof.dev/helper": name}
    template = {"metadata": {"labels": labels}, "spec": pod(name, namespace, image, IDLE)["spec"]}
    template["spec"]["restartPolicy"] = "Always"
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(LABELS)},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }
