"""Which instance of the box a step by hand is about: its namespace by the suffix it was deployed with."""

from __future__ import annotations

import re
from pathlib import Path

from boxproof.core.session import Session
from boxproof.core.settings import Settings
from boxproof.deployment import deploy, instance_records
from boxproof.kube import pod_status
from boxproof.kube.client import Kube
from boxproof.runs import manual
from boxproof.subject import model
from pytest_claims.faults import UsageError
from pytest_claims.selection import short

SUFFIX = re.compile(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?")
CONTAINER = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
GONE = 120.0  # seconds for a namespace to go


def checked(suffix: str) -> str:
    """Return a suffix that may name an instance, "" for the first; raises UsageError."""
    if suffix and not SUFFIX.fullmatch(suffix):
        hint = "allowed: at most 30 lower-case letters, digits, dashes"
        raise UsageError(f"--suffix={short(suffix)!r}", hint=hint)
    return suffix


def namespace(subject: model.Subject, suffix: str) -> str:
    """Return the namespace of the instance ``suffix``; raises UsageError for what is no suffix."""
    return "-".join(each for each in (subject.namespace, checked(suffix)) if each)


def words(suffix: str, container: str = "") -> list[str]:
    """Return the words that name the agent's container, or another of its pod, to kubectl."""
    subject = model.load(Settings.load().subject)
    chosen = container_of(subject, container)
    return ["-n", namespace(subject, suffix), f"{subject.workload}-0", "-c", chosen]


def container_of(subject: model.Subject, name: str) -> str:
    """Return a container's name, the agent's for ""; raises UsageError for what can be none."""
    if name and not CONTAINER.fullmatch(name):
        hint = "allowed: at most 63 lower-case letters, digits, dashes"
        raise UsageError(f"--container={short(name)!r}", hint=hint)
    return name or subject.container


def remove(suffix: str) -> str:
    """Remove one instance that was deployed by hand and return where it was; raises UsageError without it."""
    if not checked(suffix):
        hint = "inv down removes the cluster with all in it"
        raise UsageError("--suffix is missing: it says which instance goes", hint=hint)
    with manual.by_hand() as run:
        given = run.session.cluster
        kube = Kube(given.kubeconfig if given else str(manual.existing(run.settings).kubeconfig))
        if not instance_records.record_path(run.session, suffix).is_file():
            known = ", ".join(others(run.session)) or "none"
            raise UsageError(f"there is no instance {suffix!r}", hint=f"deployed by hand: {known}")
        box = deploy.attach(run.session, suffix, kube)
        deploy.remove(box)
        pod_status.gone(kube, "Namespace", box.namespace, timeout=GONE)
        kube.close()
    return box.namespace


def others(session: Session) -> list[str]:
    """Return the suffixes of the further instances that a session has."""
    directory: Path = deploy.instances_of(session)
    return sorted(each.stem for each in directory.glob("*.json") if each.stem not in ("first", "probes"))
