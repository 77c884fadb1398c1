"""What the checks of the recipe share."""

from __future__ import annotations

import pytest

from boxproof.session import EngineInfo, Session
from boxproof.settings import Settings
from boxproof.subject import recipe
from boxproof.subject.base import Base, choose
from boxproof.subject.model import Subject
from boxproof.subject.recipe import Recipe


@pytest.fixture(scope="session")
def written(subject: Subject) -> Recipe:
    """The subject's recipe, as its Dockerfile says it."""
    return recipe.of(subject)


@pytest.fixture(scope="session")
def base(session: Session, engine: EngineInfo, subject: Subject, written: Recipe) -> Base:
    """What a build here starts from, and the mirror it is lent."""
    text = (subject.directory / subject.image.dockerfile).read_text()
    kept = session.lock.kept if session.lock else ""
    return choose(Settings.load(), engine, text, kept) or Base(written.final.base, "")
