"""The state of a host's agent is found wherever a container is given it, and only there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boxproof.subject.model import Subject
from suites.auth.host_state import called, in_devcontainer, in_nodes, in_texts


@pytest.mark.parametrize(
    ("config_dir", "name"),
    [
        ("/home/dev/.agent", ".agent"), ("/app/.claude", ".claude"), ("/codex", ".codex"),
        ("/home/dev", ".claude"), ("/srv/.agent-config", ".agent"),
        ("/config", ".claude"), ("/home/dev/.config/opencode", "opencode"),
    ],
)  # fmt: skip
def test_the_state_is_called_as_in_a_home(config_dir: str, name: str) -> None:
    subject = Subject(directory=Path("/"), name="x", home="/home/dev", config_dir=config_dir)
    assert called(subject) == name


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ('ARGS+=(-v "$HOME/.claude:/home/claude/.claude")', 1),
        ('DIR="$HOME/.claude"\nnerdctl run -v "$DIR:/a" box', 1),
        ('DIR="$HOME/.claude"\nmkdir -p "$DIR"', 0),
        ("podman run -itv ~/.claude.json:/home/claude/.claude.json box", 1),
        ("docker run -v C:\\\\Users\\\\me\\\\.claude:/a box", 1),
        ("docker run -v~/.claude:/a box", 1),
        ("docker run -v %USERPROFILE%\\.claude:/a box", 1),
        ("docker run -v /mnt/c/Users/me/.claude:/a box", 1),
        ("run --mount type=bind,source=$(HOME)/.claude,target=/a", 1),
        ("docker run -v claude:/home/claude/.claude:ro box", 0),
        ("docker run -v ./.claude:/home/claude/.claude box", 0),
        ("docker run -v ~/.gitconfig:/home/claude/.gitconfig box", 0),
        ("docker cp ~/.claude/settings.json box:/home/claude/.claude/", 0),
        ("export PATH=/home/claude/.claude/local:/usr/bin", 0),
        ("# docker run -v ~/.claude:/a box", 0),
    ],
)
def test_words_of_texts(text: str, number: int) -> None:
    assert len(in_texts({"page.md": text}, ".claude")) == number


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ({"mounts": ["source=${localEnv:HOME}/.claude,target=/a,type=bind"]}, 1),
        ({"mounts": [{"source": "${localEnv:HOME}", "target": "/a", "type": "bind"}]}, 1),
        ({"mounts": ["source=${localEnv:HOME}${localEnv:USERPROFILE}/.claude.json,target=/a,type=bind"]}, 1),
        ({"mounts": ["source=${localEnv:HOME}/.ssh,target=/a,type=bind"]}, 0),
        ({"mounts": ["source=claude-config,target=/home/node/.claude,type=volume"]}, 0),
        ({"runArgs": ["-v", "/Users/me:/host"]}, 1),
        ({"runArgs": ["--init", "-v", "${localWorkspaceFolder}/.claude:/a"]}, 0),
        ({}, 0),
    ],
)
def test_mounts_of_a_development_container(told: dict[str, Any], number: int) -> None:
    assert len(in_devcontainer(told, ".claude")) == number


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("  - hostPath: /Users/me/.claude", 1),
        ("    hostPath: '${HOME}/.claude' # the login", 1),
        ("  - {hostPath: ${HOME}/.claude, containerPath: /state}", 1),
        ("  - hostPath: /home/me", 1),
        ("  - hostPath: ~/.claude.json", 1),
        ("  - hostPath: /home/me/projects", 0),
        ("  - hostPath: /boxproof/encryption", 0),
        ("    hostPath:", 0),
        ("  # - hostPath: /home/me/.claude", 0),
    ],
)
def test_what_nodes_are_given(line: str, number: int) -> None:
    assert len(in_nodes({"kind.yaml": line}, ".claude")) == number
