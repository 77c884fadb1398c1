"""The kinds that a cluster serves: those that a box defines, and objects of those that nobody defined."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boxproof.core.session import Session
from boxproof.deployment.box import workload_of
from boxproof.kube.client import Kube
from boxproof.subject import model
from boxproof.subject.manifests import starting
from pytest_claims import progress
from pytest_claims.waiting import until

Objects = list[dict[str, Any]]
DEFINED = 30.0  # seconds until a kind that was defined is served


def define(kube: Kube, definitions: Objects) -> None:
    """Apply definitions of kinds and wait until the API server serves them; raises DeadlineExceeded."""
    kinds = {(each["spec"]["group"], each["spec"]["names"]["kind"]) for each in kube.apply(definitions)}
    if kinds:
        until(
            lambda: kinds <= {(each.group, each.kind) for each in kube.resources(fresh=True)},
            timeout=DEFINED,
            what=f"the API server serves {', '.join(sorted(kind for _, kind in kinds))}",
        )


def served(kube: Kube, session: Session, objects: Objects) -> Objects:
    """Return the objects without those of API groups that the cluster does not have; of others' boxes only.

    The agent's own stays: without what serves it there is nothing to prove.
    """
    subject = model.load(Path(session.subject))
    if "box" in subject.profiles:
        return objects
    agent, groups = workload_of(objects, subject), {each.group for each in kube.resources()}
    left = [each for each in starting.foreign(objects, groups) if each != agent]
    if left:
        named = ", ".join(f"{each['kind']}/{each['metadata']['name']}" for each in left)
        progress.say(f"not applied, as the cluster serves no such kind: {named}", style="yellow")
    return [each for each in objects if each not in left]
