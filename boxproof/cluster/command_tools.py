"""Documented commands in this run: the tools they call under their plain names; where a recovery leads."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from boxproof.cluster import cells
from boxproof.cluster.images import load
from boxproof.cluster.kind import components
from boxproof.core.session import ClusterInfo, EngineInfo, ImageInfo, Session
from boxproof.core.settings import Settings
from boxproof.kube import pod_faults
from boxproof.kube.client import Kube, Object
from boxproof.kube.pod_status import is_ready
from boxproof.subject.copies import carry_out
from boxproof.subject.model import Subject
from pytest_claims.faults import DeadlineExceeded, EnvironmentFault, Unprovable
from pytest_claims.recording import observations
from pytest_claims.waiting import NotYet, until

SETTLE = 120.0  # seconds from the last step of a recovery until the pod is Ready
STUCK = 30  # looks in a row at another image that cannot start: nothing replaces such a pod by itself


def variables(session: Session, directory: Path) -> dict[str, str]:
    """Return the variables under which documented commands reach this run's engine and cluster.

    ``directory`` gets links to the tools. Raises EnvironmentFault if the session lacks one, Unprovable in
    a cluster that is not ours: documented commands load into nodes, and make and remove clusters.
    """
    engine, cluster = session.engine, session.cluster
    if engine is None or cluster is None:
        raise EnvironmentFault("this run has no engine or no cluster")
    if cluster.context:
        raise Unprovable("needs a cluster of its own for the documented commands")
    settings = replace(
        Settings.load(), cache=Path(session.cache), state=Path(session.state), kind=cluster.kind
    )
    kind = components.kind(settings, cells.check(settings).kind)
    programs = {"docker": engine.client, "kind": str(kind), "kubectl": cluster.kubectl}
    own = Path(sys.executable).parent / "inv"  # not resolved: beside it are this environment's programs
    programs |= {"inv": str(own)} if own.is_file() else {}
    for name, program in programs.items():
        link = directory / name
        if not link.is_symlink():
            link.symlink_to(program)
    path = os.pathsep.join([str(directory), engine.env["PATH"]])
    return engine.env | {"PATH": path, "KUBECONFIG": cluster.kubeconfig}


class Deployed(Protocol):
    """What is asked of an instance of the box."""

    @property
    def kube(self) -> Kube:
        """The API server."""

    @property
    def namespace(self) -> str:
        """Its namespace."""

    @property
    def pod(self) -> str:
        """Its pod's name."""

    @property
    def container(self) -> str:
        """The agent's container."""


@dataclass(frozen=True)
class Running:
    """What a pod runs: its image id ("" if none could start), and whether it is Ready."""

    image: str
    ready: bool


def running(engine: EngineInfo, box: Deployed) -> Running:
    """Return what the box's pod runs just now; an observation."""
    seen = _running(engine, box)
    observations.record("running", f"{box.namespace}/{box.pod}", seen)
    return seen


def _running(engine: EngineInfo, box: Deployed) -> Running:
    found: Object = box.kube.find("Pod", box.pod, box.namespace) or {}
    states = {each["name"]: each for each in found.get("status", {}).get("containerStatuses", ())}
    image = str(states.get(box.container, {}).get("imageID", ""))
    if image:  # it may be a manifest's digest: the node knows the image's id
        image = load.node_image_id(engine, found["spec"]["nodeName"], image) or image
    return Running(image, bool(found) and is_ready(found))


def settle(engine: EngineInfo, box: Deployed, image: ImageInfo, *, timeout: float = SETTLE) -> Running:
    """Return what the pod runs once it is Ready with ``image``, is stuck, or ``timeout`` seconds are over."""
    wanted, stuck = Running(image.config_digest, ready=True), 0

    def look() -> bool:
        nonlocal stuck
        seen = _running(engine, box)
        found = box.kube.find("Pod", box.pod, box.namespace) or {}
        names = [each["image"] for each in found.get("spec", {}).get("containers", ())]
        stuck = stuck + 1 if names and image.reference not in names and pod_faults.terminal(found) else 0
        if seen != wanted and stuck < STUCK:
            raise NotYet(str(seen))
        return True

    with suppress(DeadlineExceeded):  # what it runs instead is the answer
        until(look, timeout=timeout, what=f"{box.pod} runs {image.reference}", every=0.5)
    return running(engine, box)


def recover(
    subject: Subject, cluster: ClusterInfo, box: Deployed, image: ImageInfo, env: Mapping[str, str]
) -> list[str]:
    """Carry out the subject's documented recovery towards ``image``; returns what each failed step said."""
    values = {
        "image": image.reference,
        "cluster": cluster.name,
        "namespace": box.namespace,
        "workload": subject.workload,
        "container": box.container,
    }
    results = [carry_out(each, values, env) for each in subject.commands.recovery]
    return [each.describe() for each in results if not each.ok]
