"""The configuration comes out of the repository, is updated, and what the CLI wrote since stays."""

from __future__ import annotations

import json
from dataclasses import dataclass

from boxproof.agent import login
from boxproof.agent.login import FILE, Login, credentials
from boxproof.deployment.box import Box
from boxproof.fixtures.private_config import FILES, SKILL, SKILL_FILE, Clones
from boxproof.probes.pods.volume_reader import Visitor
from boxproof.stubs.anthropic import MESSAGES, Stub
from boxproof.stubs.git_forge import Repository
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe

HOUR = 3600
NOWHERE = "/dev/shm/nothing"


@dataclass(frozen=True)
class Told:
    """What a prompt tells the model of the repository: its skill, its memory, the model its settings name."""

    skill: bool
    memory: bool
    model: bool


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
    box = clones(repository)
    with control("with another configuration directory it knows nothing of it"):
        assert told(box, stub, subject, NOWHERE) == Told(False, False, False)
    assert told(box, stub, subject, subject.config_dir) == Told(True, True, True)
    assert repository.transfers() == ["clone"]


@claim("init-update-path-reachable")
def test_a_later_start_updates_the_clone(clones: Clones, repository: Repository, subject: Subject) -> None:
    box = clones(repository)
    with control("the first start clones"):
        assert repository.transfers() == ["clone"]
    repository.commit({SKILL_FILE: "newer", "CLAUDE.md": None})
    box.delete_pod()
    assert repository.transfers() == ["clone", "update"]
    found = clones.visitor(box)
    assert found.text(f"{subject.config_dir}/{SKILL_FILE}") == "newer"
    assert found.text(f"{subject.config_dir}/CLAUDE.md") is None


def written(found: Visitor, config_dir: str) -> dict[str, str]:
    """Return the history and the memory in a configuration directory, each with a digest."""
    every = found.tree(config_dir)
    return {path: mark for path, mark in every.items() if path.startswith("projects/") or path == "CLAUDE.md"}


@claim("init-preserves-runtime-state")
def test_a_restart_keeps_what_the_cli_wrote(
    clones: Clones, repository: Repository, token: str, mine: Stub, subject: Subject
) -> None:
    box = clones(repository, entries={"credentials.json": credentials(token, expires_in=-HOUR)})
    found = clones.visitor(box)
    file = f"{subject.config_dir}/{FILE}"
    with control("after the first start the login is the seed from the Secret"):
        assert json.loads(found.text(file) or "{}")["claudeAiOauth"]["accessToken"] == token
    new = Login(True, (f"{token}.1",))
    assert login.of_pod(box, mine, subject.image.cli) == new, "the CLI renews an expired login"
    renewed = found.text(file)
    found.write(f"{subject.config_dir}/CLAUDE.md", "remembered since")
    found.write(f"{subject.config_dir}/projects/p/memory/MEMORY.md", "remembered too")
    before = written(found, subject.config_dir)
    assert [each for each in before if each.endswith(".jsonl")], "no history of the prompt"
    repository.commit({SKILL_FILE: "newer", "CLAUDE.md": "newer"})
    box.delete_pod()
    assert found.text(file) == renewed
    assert written(found, subject.config_dir) == before
    assert found.text(f"{subject.config_dir}/{SKILL_FILE}") == "newer"
    assert login.of_pod(box, mine, subject.image.cli) == new
    assert not mine.requests("/v1/oauth/token"), "it was renewed once more"
