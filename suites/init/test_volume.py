"""Whose the files are, and where the token is not."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from boxproof.agent.login import FILE, credentials
from boxproof.core.secret_values import forms, holds_secret
from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Twins
from boxproof.fixtures.private_config import SKILL_FILE, Clones
from boxproof.kube import pod_status
from boxproof.kube.client import Kube
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.init_container import seen_in_processes
from boxproof.probes.pods.volume_reader import roots_volume
from boxproof.stubs.anthropic import Repository
from boxproof.subject.manifests.pod_specs import holders
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from pytest_claims.waiting import until
from suites.persistence.roots_box import on_claim

ITS_OWN = require(
    "init is done, all is the agent's own and can be written, the seeded login by nobody else",
    lambda found: (
        found.state == "done" and found.owners == found.wanted and found.written and found.login == "600"
    ),
)
NOWHERE = require("the token is nowhere", lambda places: places == [])
FOR_INIT_ALONE = require(
    "the Secret is the init container's alone", lambda holders, container: holders == [container]
)


@dataclass(frozen=True)
class Owned:
    """How init ended, who owns what is in the configuration, whether the agent writes, the login's mode."""

    state: str
    owners: tuple[int, ...]
    wanted: tuple[int, ...]
    written: bool
    login: str


@contextmanager
def on_roots_volume(
    clones: Clones, repository: Repository, docker: Any, kube: Kube, subject: Subject, *, group: bool
) -> Iterator[Box]:
    """Give an instance whose agent's volume begins as root's, 0755; its pod has fsGroup or not."""
    name = helper_pods.unique("roots")
    seed = credentials(repository.token)
    box = clones(
        repository, entries={"credentials.json": seed}, edit=on_claim(name, subject, group=group), ready=False
    )
    with roots_volume(docker, kube, box.namespace, name):
        yield box


@claim("init-ownership-and-fsgroup")
def test_all_of_it_is_the_agents_own_on_a_volume_that_began_as_roots(
    clones: Clones, repository: Repository, docker: Any, kube: Kube, subject: Subject
) -> None:
    wanted = (subject.uid,)
    with (
        control("without fsGroup nothing can be written there"),
        on_roots_volume(clones, repository, docker, kube, subject, group=False) as box,
    ):
        seen = clones.outcome(box)
        assert "Permission denied" in seen.said
        ITS_OWN.fails(observe("owned", "no fsGroup", Owned(seen.state, (), wanted, written=False, login="")))
    with on_roots_volume(clones, repository, docker, kube, subject, group=True) as box:
        ended = clones.outcome(box).state
        if ended != "done":
            ITS_OWN(observe("owned", "as applied", Owned(ended, (), wanted, written=False, login="")))
        box.wait_ready()
        owners = tuple(clones.visitor(box).owners(subject.config_dir))
        state, top = clones.outcome(box).state, subject.config_dir
        places = (SKILL_FILE, f"{SKILL_FILE}.new", FILE, "new/below/it")
        script = 'mkdir -p "${0%/*}" && touch "$0" && echo >> "$0"'
        mode = box.exec(["stat", "--format=%a", f"{top}/{FILE}"]).stdout.strip()
        written = all(box.exec(["sh", "-c", script, f"{top}/{each}"]).ok for each in places)
        ITS_OWN(observe("owned", "fsGroup", Owned(state, owners, wanted, written, mode)))


@claim("init-pat-does-not-linger")
def test_the_token_is_in_no_process_file_log_or_sight_of_the_agent(
    clones: Clones, repository: Repository, docker: Any, twin: Twins, subject: Subject
) -> None:
    token = repository.token
    words = forms(token)
    for name in ("x-access-token", "x", ""):  # as a header of basic authentication holds it
        words += (base64.b64encode(f"{name}:{token}".encode()).decode(),)

    def in_processes(node: str) -> list[str]:
        return observe("places", f"processes of {node}", seen_in_processes(docker, node, *words))

    with control("a process with it in its arguments and its environment is seen"):
        argv = ["env", f"TOKEN={token}", "sh", "-c", "sleep 600; :", token]
        planted = twin(command=argv, fresh=True)
        assert NOWHERE.fails(in_processes(planted.node)) == ["cmdline", "environ"]
    planted.remove()
    pod_status.gone(planted.kube, "Pod", planted.name, planted.namespace)
    repository.commit({"big": 1_000_000})
    repository.stall(0.5)
    box = clones(repository, ready=False)
    until(repository.sent, timeout=120, what="a transfer")
    NOWHERE(in_processes(box.node))  # while it is cloned
    repository.flow()
    box.wait_ready()
    NOWHERE(in_processes(box.node))  # while the agent runs
    found = clones.visitor(box)
    for place in (subject.config_dir, subject.config_clone.directory):
        NOWHERE(observe("places", place, found.holding(place, *words)))
        with control("a file that holds it is found, be it in base64"):
            for text in (f"https://{token}@host/", words[-1]):
                found.write(f"{place}/planted", text)
                assert NOWHERE.fails(observe("places", place, found.holding(place, *words))) == [
                    f"{place}/planted"
                ]
    told = {
        "log of init": clones.outcome(box).said,
        "log": box.logs(),
        "status": json.dumps(box.pod_object()),
    }
    NOWHERE(
        observe("places", "what is told", [name for name, text in told.items() if holds_secret(text, token)])
    )
    container = subject.config_clone.container
    with control("of a pod that has it in its environment too, two containers are found"):
        spec = copy.deepcopy(box.pod_object()["spec"])
        secret = {"secretRef": {"name": subject.config_clone.secret}}
        spec["containers"][0].setdefault("envFrom", []).append(secret)
        FOR_INIT_ALONE.fails(
            observe("holders", "doctored", holders(spec, subject.config_clone.secret)), container
        )
    FOR_INIT_ALONE(
        observe("holders", box.pod, holders(box.pod_object()["spec"], subject.config_clone.secret)), container
    )
