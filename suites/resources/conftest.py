"""What the checks of resources share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from boxproof.core.session import EngineInfo, Session
from boxproof.deployment.deploy import COMPONENTS, Objects, rendered
from boxproof.fixtures.compose_project import Documented
from boxproof.subject.model import Subject

Rendered = Mapping[str, Objects]


@pytest.fixture
def documented(session: Session, engine: EngineInfo, subject: Subject) -> Iterator[Documented]:
    """``documented(*words, env=…, options=…)``: the box as its documents say to run it on an engine."""
    if not subject.commands.run:
        pytest.skip("subject.toml does not say how to run the box without a cluster")
    made = Documented(session, engine, subject)
    yield made
    made.close()


@pytest.fixture
def every(session: Session, subject: Subject) -> Rendered:
    """The objects of every tier, and of each component that is in none, with nothing of the harness's."""
    below = subject.path(subject.manifests.components)
    names = sorted(each.name for each in below.iterdir()) if below is not None else []
    made = {"default": (), **subject.tiers}
    used = {each for components in made.values() for each in components} | set(COMPONENTS)
    made |= {f"component {name}": (name,) for name in names if name not in used}
    return {name: rendered(session, components=components)[0] for name, components in made.items()}
