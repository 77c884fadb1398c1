"""What the checks of the pipeline share: small subjects, and the subject's own commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from docker.errors import DockerException

from boxproof.cluster.images import load
from boxproof.core.session import ClusterInfo, EngineInfo, Session
from boxproof.core.settings import Settings
from boxproof.fixtures.subject_steps import Nested
from boxproof.probes import local_registry
from boxproof.probes.local_registry import Registry
from boxproof.probes.pods import helper_pods
from boxproof.subject.copies import BAD, GOOD, PACKAGE, Miniature
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import scan, vulnerability_db
from pytest_claims.faults import EnvironmentFault

RECORD = vulnerability_db.Record("BOX-2026-1", "critical", PACKAGE, GOOD)
assert BAD < RECORD.fixed == GOOD
Mini = Callable[..., Miniature]


@pytest.fixture
def command(subject: Subject) -> Callable[[str], Sequence[str]]:
    """``command("release")``: a command the subject documents; the check is skipped without one."""

    def documented(name: str) -> Sequence[str]:
        words: Sequence[str] = getattr(subject.commands, name)
        if not words:
            pytest.skip(f"subject.toml documents no such command: commands.{name}")
        return words

    return documented


@pytest.fixture
def nested(session: Session, subject: Subject, tmp_path: Path) -> Nested:
    """``nested(words, …)``: commands of the subject inside this run."""
    return Nested(session, subject, tmp_path)


@pytest.fixture
def mini(docker: Any, engine: EngineInfo, cluster: ClusterInfo) -> Iterator[Mini]:
    """``mini(version=…)``: a small subject of the check's own; its images are removed afterwards."""
    name = helper_pods.unique("boxproof-miniature")

    def described(**defects: Any) -> Miniature:
        return Miniature(name, **defects)

    yield described
    try:
        references = [each for image in docker.images.list(name=name) for each in image.tags]
        load.remove(engine, cluster, references)
        for each in references:
            docker.images.remove(each, force=True)
    except DockerException as error:
        raise EnvironmentFault(f"cannot remove {name}: {error}") from error


@pytest.fixture
def served(session: Session, docker: Any) -> Iterator[Registry]:
    """An empty registry on the engine's loopback."""
    with local_registry.serving(Settings.load(), docker, session.probe_image, session.run) as made:
        yield made


@pytest.fixture
def grype(subject: Subject) -> Path:
    """The scanner."""
    return scan.programs(Settings.load(), subject, "grype")["grype"]


@pytest.fixture
def database(grype: Path, tmp_path: Path) -> Path:
    """A vulnerability database that knows log4j, and something critical against one version of a package."""
    return vulnerability_db.archive(grype, tmp_path / "known", [vulnerability_db.KNOWN_BAD, RECORD])
