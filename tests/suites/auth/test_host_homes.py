"""A home of the host is found in whatever words a container is given it."""

from __future__ import annotations

from typing import Any

import pytest

from suites.auth.host_homes import in_compose, in_options


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("-v ~/.claude:/a", ["~/.claude"]),
        ("--volume=/Users/me/.claude:/a:ro", ["/Users/me/.claude"]),
        ("--mount type=bind,source=$HOME/.claude,target=/a", ["$HOME/.claude"]),
        ("--mount=type=bind,src=${HOME}/x,dst=/a", ["${HOME}/x"]),
        ("-v claude:/home/claude/.claude --mount type=volume,source=claude,target=/home/claude", []),
        ("-v $PWD/reports:/home/claude/reports", []),
        ("-v $HOMES:/a", []),
    ],
)
def test_options_of_an_engine(words: str, found: list[str]) -> None:
    assert in_options(words.split()) == found


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (
            {"services": {"one": {"volumes": ["~/x:/a", {"source": "/root/y"}, "named:/home/claude"]}}},
            ["~/x", "/root/y"],
        ),
        ({"services": {"one": {"volumes": ["/home/node/app/node_modules", {"target": "/root/.cache"}]}}}, []),
        ({"services": {"one": {"volumes": [{"type": "volume", "source": "x", "target": "/root"}]}}}, []),
        ({"services": {"one": None}, "volumes": {"home": None}}, []),
        ({"volumes": {"home": {"driver_opts": {"device": "/home/me"}}}}, ["/home/me"]),
        (
            {"secrets": {"login": {"file": "~/.claude/x"}}, "configs": {"other": {"file": "./here"}}},
            ["~/.claude/x"],
        ),
    ],
)
def test_files_of_compose(content: dict[str, Any], found: list[str]) -> None:
    assert in_compose(content) == found
