"""The image as it starts by itself, for the checks of any box."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from boxproof.core.session import Session
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.subject.model import Subject
from pytest_claims.faults import Unprovable
from pytest_claims.waiting import holds

STAYS = 2.0  # seconds after which what runs is taken to be up
TEST_VALUE = "test-value"
DEAF = ["sleep", "3600"]

Plain = Callable[..., LocalContainer]


@pytest.fixture
def plain(container: Containers, subject: Subject) -> Plain:
    """``plain(*words, environment=…)``: the image started as it is, with what the subject says it needs.

    Raises Unprovable for one that does not stay: it wants more than that.
    """
    login = {subject.start.token_env: TEST_VALUE} if subject.start.token_env else {}

    def make(*words: str, environment: dict[str, str] | None = None, **options: Any) -> LocalContainer:
        given = login | subject.start.env | (environment or {})
        box = container(*words, environment=given, **options)
        if not holds(lambda: box.running, seconds=STAYS, every=0.2):
            said = " ".join(box.logs()[-200:].split())
            raise Unprovable(f"started by itself it ends ({said}): say in [start] what it needs")
        return box

    return make


@pytest.fixture
def deaf(container: Containers, session: Session) -> LocalContainer:
    """A container of ours whose first process has no handler and reaps nobody."""
    return container(image=session.probe_image, entrypoint=DEAF)
