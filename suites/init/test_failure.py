"""What goes wrong: a token that does not fit, a clone that was cut off, strays; no agent without a clone."""

from __future__ import annotations

from boxproof.core.session import ImageInfo
from boxproof.deployment.box import Box
from boxproof.deployment.deploy import Edit
from boxproof.fixtures.private_config import FILES, SKILL_FILE, Clones
from boxproof.kube.client import Kube
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.init_container import Outcome, outcome, restarts
from boxproof.probes.pods.stable_identity import only_member
from boxproof.probes.pods.volume_reader import Visitor
from boxproof.stubs.git_forge import Repository
from boxproof.subject.manifests.pod_specs import selector
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe
from pytest_claims.waiting import until

STRAYS = (".a", "..data", "...x", "v")
GIVES_UP = 3  # starts of one pod that end although the server answers
SHARES = (0.1, 0.5, 0.9)  # of a pack that come before the crash


def left_to_itself(clones: Clones, namespace: str, image: ImageInfo, repository: Repository) -> Outcome:
    """Return how an init container on a terminal gets on that runs git as it is, without a token."""
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
        return outcome(clones.docker, clones.kube, namespace, name, container)


@claim("init-never-prompts")
def test_a_token_that_does_not_fit_fails_and_nobody_is_asked(
    clones: Clones, repository: Repository, terminal: Edit, aside: str, image: ImageInfo
) -> None:
    for token, reason in (("wrong", "Authentication failed"), (None, "terminal prompts disabled")):
        box = clones(repository, entries={"token": token}, edit=terminal, ready=False)
        seen = clones.outcome(box)
        assert seen.state == "failed"
        assert reason in seen.said
    with control("git left to itself, on a terminal and without a token, asks for a name"):
        assert left_to_itself(clones, aside, image, repository).state == "asks"


@claim("init-failure-blocks-main")
def test_no_agent_starts_without_a_clone(clones: Clones, repository: Repository, subject: Subject) -> None:
    with control("with the right address the agent starts"):
        seen = clones.outcome(clones(repository))
        assert (seen.state, seen.agent_started) == ("done", True)
    for address in ("https://unreachable.invalid/config.git", f"{repository.url}.none"):
        box = clones(repository, entries={"repository": address}, ready=False)
        seen = clones.outcome(box)
        assert (seen.state, seen.agent_started) == ("failed", False), seen.said
        assert clones.visitor(box).names(subject.config_dir) == []


def state(found: Visitor, subject: Subject) -> str:
    """Return whether a clone is whole, partial or not begun; an observation."""
    names = set(found.names(subject.config_clone.directory))
    wanted = {".git"} | {each.partition("/")[0] for each in FILES}
    return observe("clone", "its directory", "whole" if wanted <= names else "partial" if names else "none")


def transfers(box: Box, repository: Repository, subject: Subject) -> int:
    """Return how many transfers have begun; a box whose starts all end before the next is in the wrong."""
    begun, live = len(repository.sent()), box.kube.find("Pod", box.pod, box.namespace)
    ended = restarts(live, subject.config_clone.container) if live else 0
    assert ended < GIVES_UP, f"{begun} transfers have begun, and the start after them ends before the next"
    return begun


@claim("init-recovers-partial-clone")
def test_a_clone_that_was_cut_off_is_made_anew(
    clones: Clones, repository: Repository, kube: Kube, subject: Subject
) -> None:
    repository.commit({"big": 2_000_000})
    repository.stall(SHARES[0])
    box = clones(repository, ready=False)
    found = clones.visitor(box)
    for number, share in enumerate(SHARES):
        repository.stall(share)
        until(lambda: transfers(box, repository, subject) > number, timeout=180, what="a transfer")  # noqa: B023
        with control("a start that is cut off leaves a clone that is not whole"):
            assert state(found, subject) == "partial"
        crashed = box.pod_object()
        kube.delete([crashed], grace=1)
        only_member(kube, box.namespace, selector(box.workload), but=crashed["metadata"]["uid"])
    repository.flow()
    box.wait_ready()
    assert state(found, subject) == "whole"
    assert found.text(f"{subject.config_dir}/{SKILL_FILE}") == FILES[SKILL_FILE]


@claim("init-cleanup-covers-all-dotfiles")
def test_cleaning_up_leaves_nothing(clones: Clones, repository: Repository, subject: Subject) -> None:
    box = clones(repository)
    found, place = clones.visitor(box), subject.config_clone.directory
    wanted = sorted({".git"} | {each.partition("/")[0] for each in FILES})
    assert found.names(place) == wanted
    found.empty(place)
    for name in STRAYS:
        found.write(f"{place}/{name}", "stray")
    with control("before the start there are four strays and no clone"):
        assert found.names(place) == sorted(STRAYS)
    box.delete_pod()
    assert found.names(place) == wanted
    assert repository.transfers() == ["clone"] * 2
    assert found.text(f"{subject.config_dir}/{SKILL_FILE}") == FILES[SKILL_FILE]
