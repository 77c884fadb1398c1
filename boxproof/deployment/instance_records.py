"""What is kept of an instance: how to find it again, and what it looked like when a check failed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from boxproof.core.session import Session
from boxproof.kube.client import Kube
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording.check import Evidence

Objects = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is kept of an instance, so that other workers and the owner of the run find it."""

    namespace: str
    suffix: str
    components: tuple[str, ...]
    objects: Objects
    token: str
    sabotaged: bool = False


def remember(
    session: Session,
    *,
    namespace: str,
    suffix: str,
    components: Sequence[str],
    objects: Objects,
    token: str,
    sabotaged: bool = False,
) -> Record:
    """Write down an instance that is about to be made, so that it is found, and removed at the end."""
    record = Record(
        namespace=namespace, suffix=suffix, components=tuple(components), objects=objects, token=token,
        sabotaged=sabotaged,
    )  # fmt: skip
    private(record_path(session, suffix), json.dumps(asdict(record)))
    return record


def private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def instances_of(session: Session) -> Path:
    """Return the directory with a record of everything this session has in the cluster."""
    part = hashlib.sha256(session.directory.encode()).hexdigest()[:8]
    return home_of(Path(session.state), session.run) / part


def home_of(state: Path, run: str) -> Path:
    """Return the directory of all that a run has written down of its instances.

    It holds their Secrets: it is no part of a report, and only its owner may read it.
    """
    return state / "instances" / run


def record_path(session: Session, suffix: str) -> Path:
    """Return where the instance ``suffix`` is written down."""
    return instances_of(session) / f"{suffix or 'first'}.json"


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
