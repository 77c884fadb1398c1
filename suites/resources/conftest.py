"""What the checks of resources share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from boxproof.probes import helpers
from boxproof.proof.documented import Documented
from boxproof.proof.factories import Containers
from boxproof.proof.hanging import Hanging
from boxproof.session import EngineInfo, Session
from boxproof.stubs.anthropic import Stub
from boxproof.subject.model import Subject


@pytest.fixture
def documented(session: Session, engine: EngineInfo, subject: Subject) -> Iterator[Documented]:
    """``documented(*words, env=…, options=…)``: the box as its documents say to run it on an engine."""
    if not subject.commands.run:
        pytest.skip("subject.toml does not say how to run the box without a cluster")
    made = Documented(session, engine, subject)
    yield made
    made.close()


@pytest.fixture
def hanging(subject: Subject, container: Containers, stub: Stub) -> Iterator[Hanging]:
    """``hanging(mode)``: the box with its own CLI, which waits for an answer that does not come."""
    mine = stub.of(helpers.unique("stub-token"))
    mine.behave("slow", seconds=600)
    yield Hanging(subject, container, mine.token)
    mine.reset()
