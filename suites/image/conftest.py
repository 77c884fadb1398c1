"""What the checks of the recipe share."""

from __future__ import annotations

import pytest

from boxproof.core.session import EngineInfo, Session
from boxproof.core.settings import Settings
from boxproof.subject.image import dockerfile, image_build
from boxproof.subject.image.base_image import Base, choose
from boxproof.subject.image.dockerfile import Recipe
from boxproof.subject.model import Subject
from suites.image import build_scripts
from suites.image.named_elsewhere import Texts


@pytest.fixture(scope="session")
def written(subject: Subject) -> Recipe:
    """The subject's recipe, as its Dockerfile says it."""
    return dockerfile.of(subject)


@pytest.fixture(scope="session")
def based(subject: Subject, written: Recipe) -> Recipe:
    """The subject's recipe, on those that make its bases here."""
    return build_scripts.on_own_bases(subject, written, spelled=False)


@pytest.fixture(scope="session")
def carried_out(subject: Subject, written: Recipe, read_by_it: Texts) -> Recipe:
    """The subject's recipe with what scripts say that its RUNs carry out, on its bases that are made here."""
    return build_scripts.on_own_bases(subject, build_scripts.spelled_out(written, read_by_it))


@pytest.fixture(scope="session")
def read_by_it(subject: Subject) -> Texts:
    """What its build may read, by paths."""
    return build_scripts.texts_of(subject)


@pytest.fixture(scope="session")
def base(session: Session, engine: EngineInfo, subject: Subject, written: Recipe) -> Base:
    """What a build here starts from, and the mirror it is lent."""
    text = dockerfile.text_of(subject.directory / subject.image.dockerfile)
    kept = session.lock.kept if session.lock else ""
    settings = Settings.load()
    chosen = choose(settings, engine, text, kept)
    return chosen or Base(image_build.standing_in(settings, engine, written.line[0].base), "")
