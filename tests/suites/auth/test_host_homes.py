"""A home of the host is found in whatever words a container is given it."""

from __future__ import annotations

from typing import Any

import pytest

from suites.auth.host_homes import in_compose, in_compose_commands, in_options, in_volumes, is_state


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("-v ~/.claude:/a", ["~/.claude"]),
        ("--volume=/Users/me/.claude:/a:ro", ["/Users/me/.claude"]),
        ("--mount type=bind,source=$HOME/.claude,target=/a", ["$HOME/.claude"]),
        ("--mount=type=bind,src=${HOME}/.agent/x,dst=/a", ["${HOME}/.agent/x"]),
        ("-v claude:/home/claude/.claude --mount type=volume,source=claude,target=/home/claude", []),
        ("-v $PWD/reports:/home/claude/reports", []),
        ("-v $HOMES:/a", []),
        ("-v ${CLAUDE_HOME:-$HOME/.claude}:/a", ["$HOME/.claude"]),
        ("-v ${HOME:?where}/.claude:/a", ["${HOME}/.claude"]),
        ("-v ${VOLUME:-claude}:/home/claude/.claude", []),
        ("-v /home/claude/.cache", []),
        ("-v C:\\Users\\me:/a", ["C:\\Users\\me"]),
        ("-v $env:USERPROFILE/.claude:/a", ["$env:USERPROFILE/.claude"]),
        ("-v $HOST_HOME/.claude:/a", ["$HOST_HOME/.claude"]),
        ("-v ${CLAUDE_HOME}:/a", []),
        ("-v c:/home/claude", []),
        ("-v /var/home/me/.claude:/a", ["/var/home/me/.claude"]),
    ],
)
def test_options_of_an_engine(words: str, found: list[str]) -> None:
    assert in_options(words.split(), ".agent") == found


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (
            {
                "services": {
                    "one": {"volumes": ["~/.agent:/a", {"source": "/root"}, "named:/home/claude", "~/x:/x"]}
                }
            },
            ["~/.agent", "/root"],
        ),
        ({"services": {"one": {"volumes": ["/home/node/app/node_modules", {"target": "/root/.cache"}]}}}, []),
        ({"services": {"one": {"volumes": [{"type": "volume", "source": "x", "target": "/root"}]}}}, []),
        ({"services": {"one": None}, "volumes": {"home": None}}, []),
        ({"volumes": {"home": {"driver_opts": {"device": "/home/me"}}}}, ["/home/me"]),
        ({"volumes": {"home": {"driver_opts": {"device": "${DIR:-~/.claude}"}}}}, ["~/.claude"]),
        (
            {"secrets": {"login": {"file": "~/.claude/x"}}, "configs": {"other": {"file": "./here"}}},
            ["~/.claude/x"],
        ),
    ],
)
def test_files_of_compose(content: dict[str, Any], found: list[str]) -> None:
    assert in_compose(content, ".agent") == found


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("docker compose run --rm -v ~/.claude:/a claude", 1),
        ('docker-compose -f compose.yaml run \\\n  --volume="$HOME/.claude:/a" claude', 1),
        ("docker compose down -v", 0),
        ("docker compose run -v claude:/home/claude/.claude claude", 0),
        ("# docker compose run -v ~/.claude:/a claude", 0),
    ],
)
def test_commands_of_compose(text: str, number: int) -> None:
    assert len(in_compose_commands({"page.md": text}, ".agent")) == number


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("PersistentVolume", {"hostPath": {"path": "/Users/me/.claude"}}, ["/Users/me/.claude"]),
        ("PersistentVolume", {"local": {"path": "/home/me"}}, ["/home/me"]),
        ("PersistentVolume", {"local": {"path": "/mnt/disks/one"}}, []),
        ("PersistentVolume", {"csi": {"driver": "a"}}, []),
        ("Service", {}, []),
    ],
)
def test_volumes_of_a_cluster(kind: str, spec: dict[str, Any], found: list[str]) -> None:
    assert in_volumes([{"kind": kind, "spec": spec}], ".agent") == found


@pytest.mark.parametrize(
    "source",
    [
        "~", "$HOME", "${HOME}", "$(HOME)/", "/root", "/home/me", "/Users/me/", "C:\\Users\\me",
        "/c/Users/me", "/host_mnt/Users/me", "%USERPROFILE%", "${localEnv:HOME}${localEnv:USERPROFILE}",
        "~/.agent.json", "~/.claude", "~/.codex/auth.json", "~/.config/opencode",
        "${localEnv:HOME}/.agent/x", "~/.config", "/home/me/.local/share/", "~/$STATE",
        "C:\\Users\\me\\.agent", "/home/me/work/.agent",
    ],
)  # fmt: skip
def test_a_home_is_its_state_and_so_is_what_is_called_so_in_it(source: str) -> None:
    assert is_state(source, ".agent")


@pytest.mark.parametrize(
    "source",
    [
        "~/work", "${HOME}/.gitconfig", "/home/me/.ssh", "/Users/me/src/$PROJECT", "/root/work",
        "C:\\Users\\me\\src", "~/.config/box/shell.d", "/host_mnt/Users/me/src", "/srv/home", "./home",
        "${localEnv:HOME}${localEnv:USERPROFILE}/.gitconfig",
    ],
)  # fmt: skip
def test_another_directory_of_a_home_is_no_state(source: str) -> None:
    assert not is_state(source, ".agent")


def test_a_state_of_a_plain_name_is_below_the_settings_of_a_home() -> None:
    assert is_state("~/.config/other", "other")
    assert not is_state("~/other", "other")
