"""What goes wrong: a token that does not fit, a clone that was cut off, strays; no agent without a clone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from boxproof.core.session import ImageInfo
from boxproof.deployment import deploy
from boxproof.deployment.box import Box
from boxproof.deployment.deploy import Edit
from boxproof.kube.client import Kube, Object
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.volume_reader import Visitor
from boxproof.probes.pods.volumes import only_member
from boxproof.stubs.anthropic import Repository
from boxproof.subject.manifests.pod_specs import selector
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from pytest_claims.waiting import holds, until
from suites.init import init_container
from suites.init.init_container import Outcome, outcome, restarts
from suites.init.private_config import FILES, SKILL_FILE, Clones

STRAYS = (".a", "..data", "...x", "....", "v", "-rf", "a b", "*", "..dir/.x/..y")
CLONED = sorted({".git"} | {each.partition("/")[0] for each in FILES})
QUICK = 60.0  # seconds in which what fails quickly has failed: an answer of the server's, and a slow machine
LOOKS = 30  # seconds for which a pod without a clone is watched
FAILS_AT_ONCE = require(
    "it fails, says {}, asks nobody, and soon",
    lambda found, said: found.state == "failed" and said in found.said and found.seconds <= QUICK,
)
NOT_STARTED = require(
    "init fails, the agent never starts, and nothing is in its configuration",
    lambda found: found == Blocked("failed", False, ()),
)
WHOLE = require("the clone is whole", lambda state: state == "whole")
CLEAN = require(
    "only what is cloned is there, and it is as the repository has it",
    lambda found: found == (tuple(CLONED), True),
)
TRIES_AGAIN = require("the start after one that was cut off transfers again", lambda ended: ended == 0)
GIVES_UP = 3  # starts of one pod that end although the server answers
SHARES = (0.1, 0.5, 0.9)  # of a pack that come before the crash


def left_to_itself(
    clones: Clones, namespace: str, image: ImageInfo, repository: Repository
) -> tuple[str, Outcome]:
    """Return how an init container on a terminal gets on that runs git as it is, without a token."""
    deploy.load_variant(clones.session)
    name = helper_pods.unique("asking")
    container = clones.subject.config_clone.container
    pod = helper_pods.pod(name, namespace, clones.session.probe_image, helper_pods.IDLE)
    environment = [{"name": "GIT_SSL_NO_VERIFY", "value": "1"}, {"name": "HOME", "value": "/tmp"}]
    pod["spec"]["initContainers"] = [
        {
            "name": container,
            "image": image.reference, "imagePullPolicy": "IfNotPresent",
            "command": ["git", "clone", repository.url, "/tmp/clone"], "env": environment,
            "tty": True, "stdin": True,
        }
    ]  # fmt: skip
    with helper_pods.applied(clones.kube, pod):
        return name, outcome(clones.docker, clones.kube, namespace, name, container)


@dataclass(frozen=True)
class Failure:
    """How an init container got on, its log, and the seconds of its last start."""

    state: str
    said: str
    seconds: float


@dataclass(frozen=True)
class Blocked:
    """How init ended, whether the agent ever started, and what its configuration directory holds."""

    state: str
    agent_started: bool
    names: tuple[str, ...]


def failure(label: str, seen: Outcome, live: Object, container: str) -> Failure:
    """Return how an init container failed; an observation."""
    every = live["status"].get("initContainerStatuses") or []
    status: Object = next((each for each in every if each["name"] == container), {})
    ends = [
        each["terminated"]
        for each in (status.get("state", {}), status.get("lastState", {}))
        if "terminated" in each
    ]
    took = [_time(each["finishedAt"]) - _time(each["startedAt"]) for each in ends]
    return observe("failure", label, Failure(seen.state, seen.said, took[0] if took else 0.0))


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@claim("init-never-prompts")
def test_a_token_that_does_not_fit_fails_and_nobody_is_asked(
    clones: Clones, repository: Repository, terminal: Edit, aside: str, image: ImageInfo
) -> None:
    container = clones.subject.config_clone.container
    with control("git left to itself, on a terminal and without a token, asks for a name"):
        name, seen = left_to_itself(clones, aside, image, repository)
        FAILS_AT_ONCE.fails(observe("failure", name, Failure(seen.state, seen.said, 0.0)), "")
    asked = "terminal prompts disabled"
    for token, reason in (("wrong", "Authentication failed"), ("", asked), (None, asked)):
        box = clones(repository, entries={"token": token}, edit=terminal, ready=False)
        seen = clones.outcome(box)
        FAILS_AT_ONCE(failure(f"token {token}", seen, box.pod_object(), container), reason)


@claim("init-failure-blocks-main")
def test_no_agent_starts_without_a_clone(clones: Clones, repository: Repository, subject: Subject) -> None:
    def blocked(box: Box) -> Blocked:
        """Return how it stands after a while: some starts later nothing else is to have begun."""
        seen = clones.outcome(box)
        started = seen.agent_started
        if seen.state == "failed":
            started = not holds(lambda: not init_container.started(box.pod_object()), seconds=LOOKS, every=2)
        names = tuple(clones.visitor(box).names(subject.config_dir))
        return observe("blocked", box.label, Blocked(seen.state, started, names))

    with control("with the right address the agent starts"):
        NOT_STARTED.fails(blocked(clones(repository)))
    for address in ("https://unreachable.invalid/config.git", f"{repository.url}.none"):
        NOT_STARTED(blocked(clones(repository, entries={"repository": address}, ready=False)))


def state(found: Visitor, subject: Subject) -> str:
    """Return whether a clone is whole, partial or not begun; an observation."""
    names = set(found.names(subject.config_clone.directory))
    wanted = {".git"} | {each.partition("/")[0] for each in FILES}
    return observe("clone", "its directory", "whole" if wanted <= names else "partial" if names else "none")


def ended_before(box: Box, repository: Repository, subject: Subject, number: int) -> int:
    """Return how many starts ended before transfer ``number``: 0 once it begins; an observation."""

    def ended() -> int:
        live = box.kube.find("Pod", box.pod, box.namespace)
        return restarts(live, subject.config_clone.container) if live else 0

    def settled() -> bool:
        return len(repository.sent()) >= number or ended() >= GIVES_UP

    until(settled, timeout=180, what=f"transfer {number}")
    found = 0 if len(repository.sent()) >= number else ended()
    return observe("starts that ended before a transfer", f"transfer {number}", found)


@claim("init-recovers-partial-clone")
def test_a_clone_that_was_cut_off_is_made_anew(
    clones: Clones, repository: Repository, kube: Kube, subject: Subject
) -> None:
    repository.commit({"big": 2_000_000})
    repository.stall(SHARES[0])
    box = clones(repository, ready=False)
    found = clones.visitor(box)
    with control("a pod whose starts all end is one that transfers nothing more"):
        TRIES_AGAIN.fails(observe("starts that ended before a transfer", "a decoy", GIVES_UP))
    for number, share in enumerate(SHARES, 1):
        repository.stall(share)
        TRIES_AGAIN(ended_before(box, repository, subject, number))
        with control("a start that is cut off leaves a clone that is not whole"):
            assert WHOLE.fails(state(found, subject)) == "partial"
        crashed = box.pod_object()
        kube.delete([crashed], grace=1)
        only_member(kube, box.namespace, selector(box.workload), but=crashed["metadata"]["uid"])
    repository.flow()
    box.wait_ready()
    WHOLE(state(found, subject))
    assert found.text(f"{subject.config_dir}/{SKILL_FILE}") == FILES[SKILL_FILE], "not the repository's skill"


@claim("init-cleanup-covers-all-dotfiles")
def test_cleaning_up_leaves_nothing(clones: Clones, repository: Repository, subject: Subject) -> None:
    box = clones(repository)
    found, place = clones.visitor(box), subject.config_clone.directory

    def clean() -> tuple[tuple[str, ...], bool]:
        same = found.text(f"{subject.config_dir}/{SKILL_FILE}") == FILES[SKILL_FILE]
        return observe("clone and strays", place, (tuple(found.names(place)), same))

    CLEAN(clean())
    found.empty(place)
    for name in STRAYS:
        found.write(f"{place}/{name}", "stray")
    with control("before the start there are strays, some of them with two dots, and no clone"):
        CLEAN.fails(clean())
    old = box.delete_pod(wait=False)
    only_member(box.kube, box.namespace, selector(box.workload), but=old)
    clones.outcome(box)  # done or failed: a clone into what was left there may end badly
    CLEAN(clean())
    assert repository.transfers() == ["clone"] * 2, "the strays were not removed by cloning anew"
