"""What the checks of resources share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from boxproof.core.session import EngineInfo, Session
from boxproof.fixtures.compose_project import Documented
from boxproof.fixtures.helm_release import Charts
from boxproof.subject.model import Subject


@pytest.fixture
def charts(session: Session, subject: Subject, tmp_path: Path) -> Charts:
    """The subject's chart, to be rendered."""
    return Charts(session, subject, tmp_path)


@pytest.fixture
def documented(session: Session, engine: EngineInfo, subject: Subject) -> Iterator[Documented]:
    """``documented(*words, env=…, options=…)``: the box as its documents say to run it on an engine."""
    if not subject.commands.run:
        pytest.skip("subject.toml does not say how to run the box without a cluster")
    made = Documented(session, engine, subject)
    yield made
    made.close()
