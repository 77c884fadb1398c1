"""Nobody beside the agent writes where it has its login: in no tier, neither in its pod nor in another."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import pytest

from boxproof.core.session import Session
from boxproof.kube.client import Object
from boxproof.subject.manifests.pod_specs import agent, agent_container, pod_spec
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.agent_starts import tiers
from suites.auth.other_writers import kept_on, others

ALONE = require(
    "no other container that runs the agent's image writes on the claim of its state",
    lambda found: found == [],
)
Objects = list[Object]


def in_its_pod(objects: Objects, subject: Subject) -> None:
    """Have a second agent in the pod of the first."""
    pod = pod_spec(agent(objects, subject)) or {}
    pod["containers"].append({**agent_container(objects, subject), "name": "one-more"})


def at_night(objects: Objects, subject: Subject) -> None:
    """Have a second agent come at times, on what the first has its state on."""
    claimed = {"name": "state", "persistentVolumeClaim": {"claimName": min(kept_on(objects, subject))}}
    mounts = [{"name": "state", "mountPath": subject.config_dir}]
    container = {**agent_container(objects, subject), "name": "nightly", "volumeMounts": mounts}
    job = {"template": {"spec": {"containers": [container], "volumes": [claimed]}}}
    meta = {"name": "nightly"}
    objects.append({"kind": "CronJob", "metadata": meta, "spec": {"jobTemplate": {"spec": job}}})


DOCTORS: dict[str, Callable[[Objects, Subject], None]] = {"its pod": in_its_pod, "a CronJob": at_night}


@claim("one-credential-file-per-agent")
@needs("default-tier")
@scope("image")
def test_nobody_else_writes_on_the_claim_of_the_state(session: Session, subject: Subject) -> None:
    """A CLI that runs beside the agent, or comes at night, renews the same login."""

    def writers(asked: str, objects: Sequence[Object]) -> list[str]:
        return observe("others that write on the agent's claim", asked, others(objects, subject))

    made = list(tiers(session, subject))
    claimed = [objects for _, objects in made if kept_on(objects, subject)]
    if not claimed:
        pytest.skip("no claim of its manifests holds the state of its agent")
    for where, doctor in DOCTORS.items():
        with control(f"a second agent in {where} is seen"):
            objects = copy.deepcopy(claimed[0])
            doctor(objects, subject)
            ALONE.fails(writers(f"doctored, {where}", objects))
    for name, objects in made:
        ALONE(writers(f"tier {name}", objects))
