"""What the suites share about the box in its modes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from boxproof.probes import helpers, login
from boxproof.proof.factories import Containers
from boxproof.proof.headless import Headless
from boxproof.proof.modes import Modes
from boxproof.session import Session
from boxproof.stubs.anthropic import Stub
from boxproof.subject.model import Subject


@pytest.fixture
def modes(subject: Subject, container: Containers) -> Modes:
    """``modes(mode, *words, stays=…)``: the box on the engine in a mode, with a stand-in for the CLI."""
    return Modes(subject, container)


@pytest.fixture
def headless(subject: Subject, container: Containers) -> Headless:
    """``headless(env=…, file=…, volume=…)``: the box with its own CLI and one prompt, not started."""
    return Headless(subject, container)


@pytest.fixture
def token() -> str:
    """A token of the check's own; what begins with it and a dot is of its family."""
    return helpers.unique("stub-token")


@pytest.fixture
def mine(stub: Stub, token: str) -> Stub:
    """The stub, about ``token`` alone."""
    return stub.of(token)


@pytest.fixture
def volume(docker: Any, session: Session) -> Iterator[str]:
    """The name of a volume of the check's own."""
    with login.named_volume(docker, session.run) as name:
        yield name
