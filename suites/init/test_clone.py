"""The configuration comes out of the repository, is updated, and what the CLI wrote since stays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from boxproof.agent import login
from boxproof.agent.login import FILE, Login, credentials
from boxproof.deployment.box import Box
from boxproof.probes.pods.volume_reader import Visitor
from boxproof.stubs.anthropic import MESSAGES, Repository, Stub
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from suites.init.private_config import FILES, SKILL, SKILL_FILE, Clones

HOUR = 3600
NOWHERE = "/dev/shm/nothing"
KNOWS_ALL = require(
    "the model is told of skill, memory and settings", lambda found: found == Told(True, True, True)
)
TRANSFERS = require("the transfers so far are {}", lambda found, wanted: found == wanted)
UPDATED = require(
    "the clone is the one that was there, with what the repository holds now",
    lambda found: found == Clone(True, "newer", None),
)
KEPT = require("nothing that was written since is gone or another", lambda lost: lost == [])
SAME_LOGIN = require(
    "the login that answers is the renewed one, and it is not renewed again",
    lambda found, wanted: found == (wanted, 0),
)
MARK = "boxproof-mark"  # in .git: whoever makes the clone anew loses it


@dataclass(frozen=True)
class Told:
    """What a prompt tells the model of the repository: its skill, its memory, the model its settings name."""

    skill: bool
    memory: bool
    model: bool


@dataclass(frozen=True)
class Clone:
    """What is in a clone: whether the mark in its .git is, the text of a skill and of a memory."""

    marked: bool
    skill: str | None
    memory: str | None


def told(box: Box, stub: Stub, subject: Subject, config_dir: str) -> Told:
    """Have the CLI of a running box answer a prompt and return what it sent; an observation."""
    mine = stub.of(box.token)
    mine.reset()
    ended = box.exec(["env", f"CLAUDE_CONFIG_DIR={config_dir}", subject.image.cli, *login.PROMPT], timeout=60)
    assert ended.ok, ended.stdout or ended.stderr
    sent = mine.requests(MESSAGES)
    found = Told(
        any(SKILL in each.skills for each in sent),
        any(FILES["CLAUDE.md"].strip() in each.prompt for each in sent),
        any(each.model == json.loads(FILES["settings.json"])["model"] for each in sent),
    )
    return observe("what the model is told", config_dir, found)


@claim("init-clone-fresh-volume")
def test_the_cli_finds_what_the_repository_holds(
    clones: Clones, repository: Repository, stub: Stub, subject: Subject
) -> None:
    with control("before the start nothing was transferred"):
        TRANSFERS.fails(observe("transfers", "before the start", repository.transfers()), ["clone"])
    box = clones(repository)
    with control("with another configuration directory it knows nothing of it"):
        KNOWS_ALL.fails(told(box, stub, subject, NOWHERE))
    KNOWS_ALL(told(box, stub, subject, subject.config_dir))
    TRANSFERS(observe("transfers", box.label, repository.transfers()), ["clone"])


@claim("init-update-path-reachable")
def test_a_later_start_updates_the_clone(clones: Clones, repository: Repository, subject: Subject) -> None:
    place, top = subject.config_clone.directory, subject.config_dir

    def clone() -> Clone:
        marked = visitor.text(f"{place}/.git/{MARK}") == "marked"
        texts = [visitor.text(f"{top}/{each}") for each in (SKILL_FILE, "CLAUDE.md")]
        return observe("clone", place, Clone(marked, *texts))

    box = clones(repository)
    visitor = clones.visitor(box)
    visitor.write(f"{place}/.git/{MARK}", "marked")
    repository.commit({SKILL_FILE: "newer", "CLAUDE.md": None})
    with control("the first start clones, and has what was there then"):
        TRANSFERS.fails(observe("transfers", "the first start", repository.transfers()), ["clone", "update"])
        UPDATED.fails(clone())
    box.delete_pod()
    TRANSFERS(observe("transfers", "a later start", repository.transfers()), ["clone", "update"])
    UPDATED(clone())


def written(found: Visitor, config_dir: str) -> dict[str, str]:
    """Return history, memory and login in a configuration directory, each with a digest of its content."""
    every = found.tree(config_dir)
    return {
        path: mark
        for path, mark in every.items()
        if path.startswith("projects/") or path in ("CLAUDE.md", FILE)
    }


@claim("init-preserves-runtime-state")
def test_a_restart_keeps_what_the_cli_wrote(
    clones: Clones, repository: Repository, token: str, mine: Stub, subject: Subject
) -> None:
    box = clones(repository, entries={"credentials.json": credentials(token, expires_in=-HOUR)})
    found, top = clones.visitor(box), subject.config_dir
    file, new = f"{top}/{FILE}", Login(True, (f"{token}.1",))

    def login_now() -> tuple[Login, int]:
        seen = login.of_pod(box, mine, subject.image.cli)
        return observe("login, and renewals", box.label, (seen, len(mine.requests("/v1/oauth/token"))))

    def lost(asked: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
        return observe(
            "lost", asked, sorted(each for each, mark in before.items() if after.get(each) != mark)
        )

    with control("the first prompt renews the login that the seed from the Secret is"):
        seed = found.tree(top)
        assert json.loads(found.text(file) or "{}")["claudeAiOauth"]["accessToken"] == token
        SAME_LOGIN.fails(login_now(), new)
        KEPT.fails(lost("the seed", {FILE: seed[FILE]}, found.tree(top)))
    found.write(f"{top}/CLAUDE.md", "remembered since")
    found.write(f"{top}/projects/p/memory/MEMORY.md", "remembered too")
    before = written(found, top)
    assert [each for each in before if each.endswith(".jsonl")], "no history of the prompt"
    for text in (
        "newer",
        "newer still",
    ):  # the second start does not take what the first has seen for its own
        repository.commit({SKILL_FILE: text, "CLAUDE.md": text})
        box.delete_pod()
        KEPT(lost("after a restart", before, written(found, top)))
        assert found.text(f"{top}/{SKILL_FILE}") == text, "the repository's own files are not updated"
        SAME_LOGIN(login_now(), new)
