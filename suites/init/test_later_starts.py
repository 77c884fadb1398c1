"""What a later start of the init container does with all that was written since, and without its token."""

from __future__ import annotations

import base64

from boxproof.agent.login import credentials
from boxproof.deployment.box import Box
from boxproof.deployment.deploy import Edit
from boxproof.kube.client import Kube
from boxproof.probes.pods.volumes import only_member
from boxproof.stubs.anthropic import Repository
from boxproof.subject.manifests.pod_specs import selector
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from suites.init.private_config import SKILL_FILE, Clones
from suites.init.test_clone import KEPT
from suites.init.test_failure import FAILS_AT_ONCE, failure

# beside history, memory and login: what the CLI keeps of its user, of what it was let to do, and of its work
WRITTEN = (
    ".claude.json", "history.jsonl", "settings.local.json", "todos/one.json", "plans/one.md",
    "plugins/known.json", "shell-snapshots/one.sh", "file-history/one", "agents/own.md", "settings.json",
)  # fmt: skip
# of what was written here the repository takes one away, and brings another of the same name
REMOVED, BROUGHT = "settings.json", "agents/own.md"
GONE = "gone.json"
MORE = {"commands/run.sh": "#!/bin/sh\ntrue\n", "agents/deep/below/it.md": "an agent\n"}
LOCKS = ("index.lock", "shallow.lock")  # git's, while it updates; who kills it leaves them
UPDATED = require(
    "the later start is done, and has what is new by an update, in however many rounds",
    lambda found: (
        found[:2] == ("done", "newer") and found[2][:1] == ("clone",) and {*found[2][1:]} == {"update"}
    ),
)
NONE_BARRED = require("the agent may write everything that is there", lambda found: found == [])


@claim("init-preserves-runtime-state")
def test_a_restart_keeps_whatever_was_written(
    clones: Clones, repository: Repository, subject: Subject
) -> None:
    """Not only what a claim gives as examples."""
    box = clones(repository)
    found, top = clones.visitor(box), subject.config_dir
    for each in (*WRITTEN, GONE):
        found.write(f"{top}/{each}", f"{each}, written since")
    before = {each: mark for each, mark in found.tree(top).items() if each in (*WRITTEN, GONE)}

    def lost(asked: str) -> list[str]:
        after = found.tree(top)
        return observe("lost", asked, sorted(each for each in before if after.get(each) != before[each]))

    with control("a file that is removed is missed"):
        found.remove(f"{top}/{GONE}")
        assert KEPT.fails(lost("one is removed")) == [GONE]
    del before[GONE]
    repository.commit({SKILL_FILE: "newer", REMOVED: None, BROUGHT: "the repository's"})
    box.delete_pod()
    assert found.text(f"{top}/{SKILL_FILE}") == "newer", "the later start brings nothing"
    KEPT(lost("after a restart"))


@claim("init-never-prompts")
def test_a_token_that_is_taken_back_fails_the_next_start(
    clones: Clones, repository: Repository, terminal: Edit, kube: Kube, subject: Subject
) -> None:
    """A clone is there then, and is only to be updated."""
    container, secret = subject.config_clone.container, subject.config_clone.secret
    box = clones(repository, edit=terminal)
    with control("a start with the right token does not fail"):
        seen = clones.outcome(box)
        FAILS_AT_ONCE.fails(failure("the right token", seen, box.pod_object(), container), "")
    for token, reason in (("taken-back", "Authentication failed"), ("", "terminal prompts disabled")):
        data = {"token": base64.b64encode(token.encode()).decode()}
        kube.patch(kube.path("Secret", secret, box.namespace), {"data": data})
        old = box.delete_pod(wait=False)
        only_member(kube, box.namespace, selector(box.workload), but=old)
        seen = clones.outcome(box)
        FAILS_AT_ONCE(failure(f"token {token!r}", seen, box.pod_object(), container), reason)


@claim("init-ownership-and-fsgroup")
def test_the_agent_may_write_everything_that_is_there(
    clones: Clones, repository: Repository, subject: Subject
) -> None:
    def barred(box: Box, top: str) -> list[str]:
        """Return what is below a directory and cannot be written by the agent; an observation."""
        done = box.exec(["find", top, "!", "-type", "l", "!", "-writable"])
        return observe("cannot be written", top, done.stdout.splitlines() + done.stderr.splitlines())

    repository.commit(MORE)
    box = clones(repository, entries={"credentials.json": credentials(repository.token)})
    with control("a directory of the image, which is root's, cannot be written"):
        NONE_BARRED.fails(barred(box, "/usr/local/lib"))
    for each in (SKILL_FILE, *MORE):
        assert box.exec(["test", "-f", f"{subject.config_dir}/{each}"]).ok, f"{each} is not delivered"
    NONE_BARRED(barred(box, subject.config_dir))


class Later:
    """What starts of one box bring out of its repository."""

    def __init__(self, clones: Clones, repository: Repository, subject: Subject) -> None:
        self.clones = clones
        self.repository = repository
        self.skill = f"{subject.config_dir}/{SKILL_FILE}"
        self.box = clones(repository)
        self.found = clones.visitor(self.box)

    def brought(self, asked: str) -> tuple[str, str | None, tuple[str, ...]]:
        """Return how the init container ended, what is there, and by which transfers; an observation."""
        state = self.clones.outcome(self.box).state
        return observe(
            "brought", asked, (state, self.found.text(self.skill), tuple(self.repository.transfers()))
        )

    def again(self, kube: Kube) -> None:
        """Start it once more."""
        old = self.box.delete_pod(wait=False)
        only_member(kube, self.box.namespace, selector(self.box.workload), but=old)


@claim("init-update-path-reachable")
def test_what_a_killed_update_has_left_stops_no_later_start(
    clones: Clones, repository: Repository, kube: Kube, subject: Subject
) -> None:
    """git does not go on where there is a lock, however long ago it was made."""
    later = Later(clones, repository, subject)
    with control("the first start has what was there then"):
        UPDATED.fails(later.brought("the first start"))
    repository.commit({SKILL_FILE: "newer"})
    for each in LOCKS:
        later.found.write(f"{subject.config_clone.directory}/.git/{each}", "")
    later.again(kube)
    UPDATED(later.brought("after one that was killed"))


@claim("init-update-path-reachable")
def test_a_history_that_was_written_anew_is_taken(
    clones: Clones, repository: Repository, kube: Kube, subject: Subject
) -> None:
    """Who squashes the repository, or takes a secret out of it, forces a push that goes on from nothing."""
    later = Later(clones, repository, subject)
    with control("the first start has what was there then"):
        UPDATED.fails(later.brought("the first start"))
    repository.commit({SKILL_FILE: "newer"}, anew=True)
    later.again(kube)
    UPDATED(later.brought("after a push that was forced"))
