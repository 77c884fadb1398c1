"""What the checks of probes share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from boxproof.fixtures.agent_modes import Hanging, Modes
from boxproof.fixtures.factories import Containers
from boxproof.probes.pods import helper_pods
from boxproof.stubs.anthropic import Stub
from boxproof.subject.model import Subject


@pytest.fixture
def hanging(subject: Subject, container: Containers, stub: Stub) -> Iterator[Hanging]:
    """``hanging(mode)``: the box with its own CLI, which waits for an answer that does not come."""
    mine = stub.of(helper_pods.unique("stub-token"))
    mine.behave("slow", seconds=600)
    yield Hanging(subject, container, mine.token)
    mine.reset()


@pytest.fixture
def modes(subject: Subject, container: Containers) -> Modes:
    """``modes(mode, *words, stays=…)``: the box on the engine in a mode, with a stand-in for the CLI."""
    return Modes(subject, container)
