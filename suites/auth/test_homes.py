"""No login of a desktop's comes into the box: not by a command that users copy, nor by a Compose file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from boxproof.subject import documented_commands
from boxproof.subject.documented_commands import Run
from boxproof.subject.manifests import shipped
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.auth import host_homes, host_state

OF_NO_HOME = require("no command of the documents mounts a home of the host", lambda found: found == [])
NONE_COMPOSED = require("no Compose file mounts a home of the host", lambda found: found == [])
FORMS = (
    "-v ~/.claude:/home/claude/.claude",
    "--volume $HOME/.claude:/home/claude/.claude",
    "--mount type=bind,source=/Users/me/.claude,target=/home/claude/.claude",
    "--mount=type=bind,src=${HOME}/.claude.json,dst=/home/claude/.claude.json",
    "-v ${CLAUDE_HOME:-$HOME/.claude}:/home/claude/.claude",
)
BY_COMPOSE = (
    "docker compose run --rm -v ~/.claude:/home/claude/.claude claude",
    'docker-compose run \\\n  --volume="$HOME/.claude:/home/claude/.claude" claude',
)
COMPOSED: tuple[dict[str, Any], ...] = (
    {"services": {"one": {"volumes": ["~/.claude:/home/claude/.claude"]}}},
    {"services": {"one": {"volumes": [{"type": "bind", "source": "${HOME}/.claude", "target": "/a"}]}}},
    {"volumes": {"home": {"driver_opts": {"type": "none", "o": "bind", "device": "/Users/me/.claude"}}}},
    {"secrets": {"login": {"file": "~/.claude/.credentials.json"}}},
    {"configs": {"state": {"file": "$HOME/.claude.json"}}},
)


@claim("no-cross-platform-credential-share")
@needs("command:run")
@scope("image")
def test_no_command_of_the_documents_mounts_a_home(subject: Subject) -> None:
    state = host_state.called(subject)

    def mounted(asked: str, runs: Sequence[Run], texts: Mapping[str, str]) -> list[str]:
        found = [f"{one.page}: {each}" for one in runs for each in host_homes.in_options(one.options, state)]
        return observe("homes in commands", asked, [*found, *host_homes.in_compose_commands(texts, state)])

    with control("a page that mounts one is seen, in each form"):
        for each in FORMS:
            page = {"doctored.md": f"docker run -it {each} {subject.image.name}:TAG\n"}
            OF_NO_HOME.fails(mounted(each, documented_commands.runs_in(page, subject.image.name), {}))
        for each in BY_COMPOSE:
            OF_NO_HOME.fails(mounted(each, [], {"doctored.md": each}))
    runs = [*documented_commands.runs(subject), Run("subject.toml", subject.commands.run[2:])]
    OF_NO_HOME(mounted(f"{len(runs)} commands", runs, shipped.commands(subject)))


@claim("no-cross-platform-credential-share")
@needs("compose")
@scope("image")
def test_no_compose_file_mounts_a_home(subject: Subject) -> None:
    def mounted(asked: str, content: Mapping[str, Any]) -> list[str]:
        return observe(
            "homes in a Compose file", asked, host_homes.in_compose(content, host_state.called(subject))
        )

    with control("a service, a volume, a secret and a setting of a home are seen"):
        for each in COMPOSED:
            NONE_COMPOSED.fails(mounted(f"doctored: {sorted(each)}", each))
    files = shipped.compose(subject)
    assert files, "it ships no Compose file"
    for name, content in files.items():
        NONE_COMPOSED(mounted(name, content))
