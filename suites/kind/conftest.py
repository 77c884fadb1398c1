"""The subject's own steps, in a copy of its directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from boxproof.core.session import Session
from boxproof.fixtures.subject_steps import Steps, steps_of
from boxproof.subject.model import Subject


@pytest.fixture
def steps(session: Session, subject: Subject, tmp_path: Path) -> Iterator[Steps]:
    """``steps("deploy")``: a step of the subject, in a copy that may be edited and in this run's cluster."""
    with steps_of(session, subject, tmp_path) as made:
        yield made
