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
from boxproof.kube import pod_status
from boxproof.kube.client import Kube
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.volume_reader import Visitor, claims, roots_volume
from boxproof.stubs.anthropic import Repository
from boxproof.subject.manifests.pod_specs import holders
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from pytest_claims.waiting import until
from suites.init.init_container import seen_in_processes
from suites.init.private_config import SKILL_FILE, Clones
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


OPEN = ("/tmp", "/dev/shm", "/run")  # beside the agent's home and work directory
PLANTED = "/tmp/planted"


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


def sought(token: str) -> tuple[str, ...]:
    """Return the token in its forms, also as a header of basic authentication holds it."""
    pairs = (f"{name}:{token}".encode() for name in ("x-access-token", "x", ""))
    return (*forms(token), *(base64.b64encode(each).decode() for each in pairs))


class Looks:
    """Where the token is seen of one instance; every look is an observation."""

    def __init__(self, clones: Clones, docker: Any, words: tuple[str, ...]) -> None:
        self.clones = clones
        self.docker = docker
        self.words = words

    def in_processes(self, node: str) -> list[str]:
        """Return where of the processes of a node."""
        return observe("places", f"processes of {node}", seen_in_processes(self.docker, node, *self.words))

    def on_volume(self, found: Visitor, place: str) -> list[str]:
        """Return in which files below a directory."""
        return observe("places", place, found.holding(place, *self.words))

    def told(self, box: Box, token: str) -> list[str]:
        """Return in which of the logs, or whether in the pod's status."""
        said = {
            "log of init": self.clones.outcome(box).said,
            "log": box.logs(),
            "status": json.dumps(box.pod_object()),
        }
        return observe("places", "what is told", [each for each in said if holds_secret(said[each], token)])

    def in_sight(self, box: Box, subject: Subject) -> list[str]:
        """Return in which files that the agent may read, wherever it may write: not on its volume alone."""
        top = (subject.home, subject.workdir, *OPEN)
        done = box.exec(["grep", "-rlFf", "-", *top], stdin="\n".join(self.words), timeout=300)
        return observe("places", f"files in {box.label}", sorted(done.stdout.splitlines()))


def update(box: Box, repository: Repository, looks: Looks) -> None:
    """Start the pod anew, look at its processes while the clone is updated, and wait until it is Ready."""
    repository.commit({SKILL_FILE: "newer", "big": 1_000_000})
    repository.stall(0.5)
    before, old = len(repository.sent()), box.delete_pod(wait=False)
    until(lambda: len(repository.sent()) > before, timeout=180, what="an update")
    NOWHERE(looks.in_processes(box.node))
    repository.flow()
    box.wait_ready(180, after=old)


def out_of_sight(box: Box, subject: Subject, looks: Looks) -> None:
    """Show that no container but the one that clones gets anything of the Secret, nor finds its token."""
    container, name = subject.config_clone.container, subject.config_clone.secret
    NOWHERE(looks.in_sight(box, subject))
    with control("a file of the agent's that holds it is found"):
        assert box.exec(["sh", "-c", f"cat > {PLANTED}"], stdin=looks.words[0]).ok
        assert NOWHERE.fails(looks.in_sight(box, subject)) == [PLANTED]
    spec = box.pod_object()["spec"]
    with control("of a pod that has it in its environment too, two containers are found"):
        doctored = copy.deepcopy(spec)
        doctored["containers"][0].setdefault("envFrom", []).append({"secretRef": {"name": name}})
        FOR_INIT_ALONE.fails(observe("holders", "doctored", holders(doctored, name)), container)
    FOR_INIT_ALONE(observe("holders", box.pod, holders(spec, name)), container)


@claim("init-pat-does-not-linger")
def test_the_token_is_in_no_process_file_log_or_sight_of_the_agent(
    clones: Clones, repository: Repository, docker: Any, twin: Twins, subject: Subject
) -> None:
    token = repository.token
    looks = Looks(clones, docker, sought(token))
    with control("a process with it in its arguments and its environment is seen"):
        argv = ["env", f"TOKEN={token}", "sh", "-c", "sleep 600; :", token]
        planted = twin(command=argv, fresh=True)
        assert NOWHERE.fails(looks.in_processes(planted.node)) == ["cmdline", "environ"]
    planted.remove()
    pod_status.gone(planted.kube, "Pod", planted.name, planted.namespace)
    repository.commit({"big": 1_000_000})
    repository.stall(0.5)
    box = clones(repository, ready=False)
    until(repository.sent, timeout=120, what="a transfer")
    NOWHERE(looks.in_processes(box.node))  # while it is cloned
    repository.flow()
    box.wait_ready()
    found = clones.visitor(box)
    places = tuple(claims(box.workload, subject.config_clone.container))  # the whole of each volume
    for later in (False, True):
        if later:
            update(box, repository, looks)
        NOWHERE(looks.in_processes(box.node))  # while the agent runs
        NOWHERE(looks.told(box, token))
        for place in places:
            NOWHERE(looks.on_volume(found, place))
    out_of_sight(box, subject, looks)
    with control("a file that holds it is found, be it in base64"):
        for place in places:
            for text in (f"https://{token}@host/", looks.words[-1]):
                found.write(f"{place}/planted", text)
                assert NOWHERE.fails(looks.on_volume(found, place)) == [f"{place}/planted"]
