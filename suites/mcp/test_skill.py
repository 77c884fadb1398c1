"""The skill that tells the model which tools the box has."""

from __future__ import annotations

import secrets
from pathlib import PurePosixPath
from typing import Any

import pytest

from boxproof.core.session import ImageInfo, Session
from boxproof.fixtures.factories import Containers
from boxproof.stubs.anthropic import MESSAGES, Stub
from boxproof.subject.image import tools
from boxproof.subject.image.image_files import reader
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope

TOLD_OF = require("the model is told of the skill {}", lambda skills, name: name in skills)
NAMES_ALL = require("the skill names every tool that is listed", lambda missing: missing == [])


def told(container: Containers, stub: Stub, subject: Subject, *, without: str = "") -> list[str]:
    """Return the skills that a prompt tells the model of, in a container where a directory is covered."""
    login = f"stub-token-skill-{secrets.token_hex(3)}"
    covered = {without: ""} if without else None
    words = ("-p", "Say hello.")
    one = container(*words, entrypoint=[subject.image.cli], stub=login, start=False, tmpfs=covered)
    assert one.run().code == 0
    found = sorted(stub.of(login).requests(MESSAGES)[-1].skills)
    return observe("skills", f"without {without}" if without else "as it is", found)


@claim("mcp-server-starts-in-cluster")
@scope("image")
def test_the_model_is_told_of_the_tools(
    container: Containers, stub: Stub, subject: Subject, docker: Any, session: Session, image: ImageInfo
) -> None:
    listed = subject.path(subject.image.tools)
    if not subject.mcp.skill or listed is None:
        pytest.skip("the subject names no skill made of a list of tools")
    place = PurePosixPath(subject.mcp.skill).parent
    with control("where the skill is covered, the model is told of others only"):
        TOLD_OF.fails(told(container, stub, subject, without=str(place)), place.name)
    TOLD_OF(told(container, stub, subject), place.name)
    with reader(docker, image.reference, run=session.run) as read:
        text = read(subject.mcp.skill) or ""
    names = [each.name for each in tools.load(listed)]

    def missing(asked: str, text: str) -> list[str]:
        return observe("tools it does not name", asked, [each for each in names if f"## {each}" not in text])

    with control("a text without the last of them is seen to lack it"):
        assert NAMES_ALL.fails(missing("doctored", text.replace(f"## {names[-1]}", "##"))) == names[-1:]
    NAMES_ALL(missing("the skill", text))
