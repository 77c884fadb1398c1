"""MCP servers whose settings a recipe copies: what is started there, and whether it has to be fetched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from boxproof.subject import model
from suites.image import copied_servers
from suites.image.deployed_words import NOT_MEANT

NPX = {"command": "npx", "args": ["-y", "kubernetes-mcp-server@latest", "--read-only"]}


def of(tmp_path: Path, server: Any, *lines: str) -> dict[str, str]:
    """Return what is started of a box that copies a file with this server."""
    (tmp_path / ".mcp.json").write_text(json.dumps({"mcpServers": {"a": server}}))
    (tmp_path / "Dockerfile").write_text("\n".join(["FROM debian:12", *lines, ""]))
    (tmp_path / "subject.toml").write_text('name = "x"\n[image]\ncontext = "."\ndockerfile = "Dockerfile"\n')
    return copied_servers.of(model.load(tmp_path))


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (NPX, '"npx" -y kubernetes-mcp-server@latest --read-only'),
        ({"command": "docker", "args": ["run", "-i", "--rm", "a/b"]}, '"docker" run -i --rm a/b'),
        ({"command": "/usr/bin/server"}, '"/usr/bin/server"'),
        ({"command": "npx", "args": ["--no-install", "server"]}, '"'),  # it fetches nothing
    ],
)
def test_a_server_is_told_as_it_is_started(tmp_path: Path, server: Any, words: str) -> None:
    found = of(tmp_path, server, "COPY .mcp.json /app/")
    assert {where: NOT_MEANT.sub("", each).removesuffix(" server") for where, each in found.items()} == {
        ".mcp.json: a": words
    }


@pytest.mark.parametrize(
    ("server", "lines"),
    [
        (NPX, ["RUN npm install -g kubernetes-mcp-server@0.0.50", "COPY .mcp.json /app/"]),
        (
            {"command": "npx", "args": ["-y", "@a/server@1"]},
            ["RUN npm i -g @a/server@1.2.3", "COPY .mcp.json ."],
        ),
        (NPX, ["COPY other.json /app/"]),
        ({"url": "https://mcp.example.org"}, ["COPY .mcp.json /app/"]),
        ("no table", ["COPY .mcp.json /app/"]),
        ({"command": "npx", "args": "text"}, ["COPY --from=a:1 .mcp.json /app/"]),
    ],
)
def test_what_is_there_is_not_in_the_image_or_is_started_elsewhere_is_none(
    tmp_path: Path, server: Any, lines: list[str]
) -> None:
    assert of(tmp_path, server, *lines) == {}


ADDED = "claude mcp add --scope user {}"


@pytest.mark.parametrize(
    ("command", "name", "words"),
    [
        (ADDED.format("files -- npx -y @a/files"), "files", '"npx" -y @a/files'),
        (ADDED.format("files npx @a/files@1.2.3"), "files", '"npx" @a/files@1.2.3'),
        ("claude mcp add files -e A=b C=d -- uvx files", "files", '"uvx" files'),
        ("cd / && codex mcp add docs --env A=b -- npx docs", "docs", '"npx" docs'),
        ("su - agent -c 'claude mcp add a -- npx b'", "a", '"npx" b'),
        ("""claude mcp add-json a '{"command": "npx", "args": ["b"]}'""", "a", '"npx" b'),
        ("sh /opt/servers.sh", "a", '"npx" b'),
    ],
)
def test_a_server_that_a_command_adds_is_told(tmp_path: Path, command: str, name: str, words: str) -> None:
    (tmp_path / "servers.sh").write_text("#!/bin/sh\nclaude mcp add \\\n  a -- npx b\n")
    assert of(tmp_path, None, f"RUN {command}") == {f"RUN: {name}": words}


def test_one_that_the_script_adds_that_the_image_starts_with_is_told(tmp_path: Path) -> None:
    (tmp_path / "start").write_text('#!/usr/bin/env bash\n/opt/servers.sh\nexec "$@"\n')
    (tmp_path / "servers.sh").write_text("#!/bin/sh\nclaude mcp add a -- npx b\n")
    (tmp_path / "by-hand.sh").write_text("#!/bin/sh\nclaude mcp add c -- npx d\n")
    lines = ["COPY start servers.sh by-hand.sh /opt/", 'ENTRYPOINT ["/opt/start"]']
    assert of(tmp_path, None, *lines) == {"/servers.sh: a": '"npx" b'}


@pytest.mark.parametrize(
    "command",
    [
        "claude mcp add --transport http files https://mcp.example.org",
        "codex mcp add files --url https://mcp.example.org",
        "claude mcp list && claude mcp remove files",
        "npm i -g @a/files@1.2.3 && claude mcp add files -- npx @a/files",
        "echo 'claude mcp add files -- npx -y @a/files' > /etc/motd",
        "true # claude mcp add files -- npx -y @a/files",
    ],
)
def test_a_server_elsewhere_or_in_the_image_is_fetched_by_no_command(tmp_path: Path, command: str) -> None:
    assert of(tmp_path, None, f"RUN {command}") == {}
