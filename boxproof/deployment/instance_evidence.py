"""The evidence a refuted or blocked check leaves: the instances, their events and logs."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from boxproof.core.session import Session
from boxproof.deployment.instance_records import instances_of
from boxproof.kube.client import Kube
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording.evidence import Evidence

WRITERS = ("managedFields",)
AT_MOST = 4  # instances, the youngest first


def collector(session: Session) -> Callable[[Evidence], None]:
    """Return what gathers the state of the session's instances for a failed check."""

    def instances(evidence: Evidence) -> None:
        assert session.cluster is not None
        kube = Kube(session.cluster.kubeconfig)
        for namespace in _namespaces(session)[:AT_MOST]:
            _gather(kube, namespace, evidence)

    return instances


def _namespaces(session: Session) -> list[str]:
    """Return the namespaces of the instances, the youngest first, without those removed meanwhile."""
    found: list[tuple[float, str]] = []
    for path in instances_of(session).glob("*.json"):
        with suppress(FileNotFoundError):
            found.append((path.stat().st_mtime, json.loads(path.read_text())["namespace"]))
    return [namespace for _, namespace in sorted(found, reverse=True)]


def _gather(kube: Kube, namespace: str, evidence: Evidence) -> None:
    pods = kube.list("Pod", namespace)
    evidence(f"{namespace}-pods.json", [_short(each) for each in pods])
    events = kube.list("Event", namespace)
    lines = [
        " ".join(str(each.get(key)) for key in ("lastTimestamp", "type", "reason", "message"))
        for each in events
    ]
    evidence(f"{namespace}-events.txt", "\n".join(lines) + "\n")
    for pod in pods:
        for container in pod["spec"]["containers"]:
            name = container["name"]
            try:
                text = kube.logs(namespace, pod["metadata"]["name"], name)
            except EnvironmentFault as fault:
                text = fault.message
            evidence(f"{namespace}-{pod['metadata']['name']}-{name}.log", text)


def _short(pod: dict[str, Any]) -> dict[str, Any]:
    meta = {key: value for key, value in pod["metadata"].items() if key not in WRITERS}
    return pod | {"metadata": meta}
