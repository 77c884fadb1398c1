"""What the checks of the entrypoint share."""

from __future__ import annotations

import pytest

from boxproof.proof.factories import Containers
from boxproof.proof.modes import Modes
from boxproof.subject.model import Subject


@pytest.fixture
def modes(subject: Subject, container: Containers) -> Modes:
    """``modes(mode, *words, stays=…)``: the box on the engine in a mode, with a stand-in for the CLI."""
    return Modes(subject, container)
