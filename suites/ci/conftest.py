"""What the checks of the pipeline share: small subjects, and the subject's own commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from docker.errors import DockerException

from boxproof.cluster import load
from boxproof.errors import EnvironmentFault
from boxproof.probes import helpers, registry
from boxproof.probes.registry import Registry
from boxproof.proof.nested import Nested
from boxproof.session import ClusterInfo, EngineInfo, Session
from boxproof.settings import Settings
from boxproof.subject import supply, vulndb
from boxproof.subject.miniature import BAD, GOOD, PACKAGE, Miniature
from boxproof.subject.model import Subject

RECORD = vulndb.Record("BOX-2026-1", "critical", PACKAGE, GOOD)
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
    name = helpers.unique("boxproof-miniature")

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
    with registry.serving(Settings.load(), docker, session.probe_image, session.run) as made:
        yield made


@pytest.fixture
def grype(subject: Subject) -> Path:
    """The scanner."""
    return supply.programs(Settings.load(), subject, "grype")["grype"]


@pytest.fixture
def database(grype: Path, tmp_path: Path) -> Path:
    """A vulnerability database that knows log4j, and something critical against one version of a package."""
    return vulndb.archive(grype, tmp_path / "known", [vulndb.KNOWN_BAD, RECORD])
