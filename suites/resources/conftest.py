"""What the checks of resources share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from boxproof.core.session import EngineInfo, Session
from boxproof.fixtures.compose_project import Documented
from boxproof.subject.model import Subject


@pytest.fixture
def documented(session: Session, engine: EngineInfo, subject: Subject) -> Iterator[Documented]:
    """``documented(*words, env=…, options=…)``: the box as its documents say to run it on an engine."""
    if not subject.commands.run:
        pytest.skip("subject.toml does not say how to run the box without a cluster")
    made = Documented(session, engine, subject)
    yield made
    made.close()
