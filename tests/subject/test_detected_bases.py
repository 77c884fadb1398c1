"""What a recipe shows whose base is made by another one of the same directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.detection import signs
from tests.subject.test_detection import write

BASE = "FROM debian:12\nRUN useradd --uid 501 --create-home dev\nWORKDIR /work\nUSER dev\n"
AGENT = "ARG BASE=acme-base:local\nFROM ${BASE}\nUSER root\nRUN true\nUSER dev\nENV CLAUDE_CONFIG_DIR=/x\n"
FILES = {"images/base/Dockerfile": BASE, "images/agents/claude/Dockerfile": AGENT}
COMPOSE = """services:
  acme-base: {image: "acme-base:${TAG}", build: {context: images, dockerfile: base/Dockerfile}}
  agent: {build: images/agents/claude}
"""
MADE = "base: images/base/Dockerfile makes acme-base:local"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("images/build.sh", '#!/bin/sh\ndocker build \\\n  -t acme-base:$TAG \\\n  "$HERE/base"\n'),
        ("images/base/build.sh", 'docker build --tag acme-base:1 "$HERE"\n'),
        ("build.sh", "docker buildx build --tag=acme-base:1 -f images/base/Dockerfile .\n"),
        ("Makefile", "base:\n\t$(ENGINE) x; podman build -t acme-base images/base && echo done\n"),
        ("compose.yaml", COMPOSE),
    ],
)
def test_a_base_that_is_made_here_says_who_the_user_is(tmp_path: Path, name: str, text: str) -> None:
    found = signs.detect(write(tmp_path, **{**FILES, name: text}))
    wanted = {
        "image.dockerfile": "images/agents/claude/Dockerfile",
        "uid": 501, "home": "/home/dev", "workdir": "/work",
    }  # fmt: skip
    assert {each: found.get(each) for each in wanted} == wanted
    assert [each for each in found.remarks if each.startswith(MADE)]


@pytest.mark.parametrize(
    "text",
    [
        "# docker build -t acme-base:$TAG images/base\n",
        "docker build -t acme-other:1 images/base\n",
        "docker build -t acme-base:1 images/elsewhere\n",
        "docker build -t 'acme-base:1 images/base\n",
    ],
)
def test_what_no_script_makes_is_another_s(tmp_path: Path, text: str) -> None:
    found = signs.detect(write(tmp_path, **{**FILES, "build.sh": text}))
    assert found.get("uid") is None
    assert not [each for each in found.remarks if each.startswith("base:")]


def test_a_recipe_that_is_its_own_base_ends(tmp_path: Path) -> None:
    text = "FROM acme:1\nUSER 7\n"
    root = write(tmp_path, Dockerfile=text, **{"build.sh": "docker build -t acme:1 .\n"})
    assert signs.detect(root).get("uid") == 7
