"""Containers for development: which are of the box, and what they bring and are given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from boxproof.subject.model import ComposePart, Subject
from suites import development


def of_the_box(directory: Path, told: dict[str, Any]) -> bool:
    """Return whether a description is of the box, which has a Dockerfile, a Compose file and a name."""
    path = directory / ".devcontainer/devcontainer.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(told) + " // as it is\n")
    subject = Subject(directory=directory, name="box", compose=ComposePart(file="compose.yaml", service="a"))
    return list(development.of_the_box(subject)) == [".devcontainer/devcontainer.json"]


@pytest.mark.parametrize(
    "told",
    [
        {"build": {"dockerfile": "../image/Dockerfile"}}, {"dockerFile": "../image/Dockerfile"},
        {"dockerComposeFile": "../compose.yaml", "service": "a"},
        {"dockerComposeFile": ["../compose.yaml", "more.yaml"], "service": "a"},
    ],
)  # fmt: skip
def test_a_container_of_the_box_is_known_by_what_it_is_made_of(tmp_path: Path, told: dict[str, Any]) -> None:
    assert of_the_box(tmp_path, told)


@pytest.mark.parametrize(
    "told", [{"image": "debian:12"}, {"build": {"dockerfile": "Dockerfile"}}, {"name": "a"}]
)
def test_another_one_is_not(tmp_path: Path, told: dict[str, Any]) -> None:
    assert not of_the_box(tmp_path, told)


@pytest.mark.parametrize(
    "told",
    [
        {"features": {"ghcr.io/anthropics/devcontainer-features/claude-code:1": {}}},
        {"postCreateCommand": ["npm", "install", "-g", "@anthropic-ai/claude-code"]},
        {"onCreateCommand": {"cli": "curl -fsSL https://claude.ai/install.sh | bash", "rest": "true"}},
    ],
)
def test_another_cli_is_seen(told: dict[str, Any]) -> None:
    assert len(development.other_clis(told)) == 1


@pytest.mark.parametrize(
    "told",
    [
        {"features": {"ghcr.io/devcontainers/features/github-cli:1": {}}},
        {"postCreateCommand": "mkdir -p ~/.config/claude-code && claude --version"},
        {"customizations": {"vscode": {"extensions": ["anthropic.claude-code"]}}},
    ],
)
def test_no_other_cli_is_not(told: dict[str, Any]) -> None:
    assert development.other_clis(told) == []


@pytest.mark.parametrize(
    "told",
    [
        {"privileged": True}, {"capAdd": ["NET_ADMIN"]}, {"securityOpt": ["seccomp=unconfined"]},
        {"runArgs": ["--cap-add=NET_ADMIN"]}, {"runArgs": ["--cap-add", "NET_RAW"]},
        {"runArgs": ["--privileged"]}, {"runArgs": ["--net=host"]}, {"runArgs": ["--device", "/dev/fuse"]},
        {"runArgs": ["--security-opt", "apparmor=unconfined"]},
        {"features": {"ghcr.io/devcontainers/features/docker-in-docker:2": {}}},
    ],
)  # fmt: skip
def test_what_it_is_given_is_seen(told: dict[str, Any]) -> None:
    assert len(development.rights(told)) == 1
    assert development.users(told) == []


@pytest.mark.parametrize(
    "told",
    [
        {"runArgs": ["--cap-drop=ALL", "--security-opt=no-new-privileges", "--name", "host"]},
        {"privileged": False, "capAdd": [], "remoteUser": "claude"},
        {"runArgs": ["--network=box", "--user", "1000:0"], "containerUser": "1000"},
    ],
)
def test_what_confines_it_is_not(told: dict[str, Any]) -> None:
    assert development.rights(told) + development.users(told) == []


@pytest.mark.parametrize("told", [{"remoteUser": "root"}, {"containerUser": 0}, {"runArgs": ["--user=0:0"]}])
def test_a_user_that_is_root_is_seen(told: dict[str, Any]) -> None:
    assert len(development.users(told)) == 1
