"""What the checks of packaging share."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.session import Session
from boxproof.fixtures.helm_release import Charts, Release
from boxproof.kube.client import Kube
from boxproof.probes.reach import Outside
from suites.packaging.applied_objects import Applied, Conformity


@pytest.fixture
def release(charts: Charts, kube: Kube) -> Iterator[Release]:
    """The chart, with the stub in the place of the API, not installed yet; nothing of it stays."""
    made = Release(charts, kube, f"r{secrets.token_hex(3)}")
    yield made
    made.close()


@pytest.fixture
def conformity(session: Session, kube: Kube, tmp_path: Path) -> Conformity:
    """``conformity(asked, objects)``: what is wrong with objects by the schemas of the live API server."""
    return Conformity(session, kube, tmp_path)


@pytest.fixture
def fresh(session: Session, kube: Kube) -> Iterator[Applied]:
    """``fresh(asked)``: the base applied with kubectl where nothing of it is."""
    made = Applied(session, kube)
    yield made
    made.close()


@pytest.fixture
def bridged(docker: Any, session: Session) -> Iterator[tuple[Outside, Outside]]:
    """Two containers of the probe image on the engine's default bridge."""
    made = [Outside(docker, session.probe_image, session.run, network="bridge") for _ in range(2)]
    yield made[0], made[1]
    for each in made:
        each.remove()
