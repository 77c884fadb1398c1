"""A run for one step by hand: it holds the cluster meanwhile, and what it makes is kept until `inv down`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from boxproof.cluster import cells, cluster_info, contexts
from boxproof.cluster.images import load
from boxproof.cluster.kind import kind_clusters
from boxproof.core import foreign_subject
from boxproof.core import settings as settings_module
from boxproof.core.process import guarded
from boxproof.core.session import ClusterInfo, EngineInfo, Session, StubInfo
from boxproof.core.settings import Settings
from boxproof.deployment import cluster_resolver, deploy
from boxproof.host.engine import engine_choice
from boxproof.host.engine.docker_cli import nodes_of
from boxproof.kube.client import Kube
from boxproof.runs import bringup, inputs, ownership, sweeping
from boxproof.runs.run_life import Run
from boxproof.stubs import anthropic
from boxproof.subject import model, parts
from boxproof.subject.image import image_build
from pytest_claims.faults import EnvironmentFault, UsageError

STUB = "stub.json"


def name_of(settings: Settings) -> str:
    """Return the name of the run that owns what is deployed by hand into a cluster."""
    return f"hand-{settings.cluster}"


def directory(settings: Settings) -> Path:
    """Return where the records of what is deployed by hand into a cluster lie."""
    return settings.state / "hand" / settings.cluster


@contextmanager
def by_hand() -> Iterator[Run]:
    """Give the run of one step; started by a check, the step is a guest in the session of the check's run.

    Raises UsageError before anything is made, EnvironmentFault if another run is at work in the cluster.
    """
    settings = Settings.load()
    subject = model.load(foreign_subject.trusted(settings))
    given = Session.outer()
    if given:
        yield _guest(settings, given)
        return
    cells.check_shown(settings)
    where = directory(settings)
    where.mkdir(parents=True, exist_ok=True)
    session = Session(
        run=name_of(settings),
        directory=str(where),
        subject=str(settings.subject),
        cache=str(settings.cache),
        state=str(settings.state),
        absent=parts.absent(subject),
    )
    record = ownership.keep(settings, ownership.claim_run(settings, session.run))
    held = ownership.cluster_held(settings, settings.cluster, record)
    with held, guarded(ownership.mark(settings, record)):
        record = ownership.within(settings, record, settings.cluster)
        yield Run(settings, session, record, datetime.now(UTC))


@contextmanager
def in_cluster(settings: Settings) -> Iterator[tuple[EngineInfo, ClusterInfo]]:
    """Hold the cluster as it stands for one step, and give its engine with it; errors as ``present``."""
    if not settings_module.session_file():
        existing(settings)
    engine = engine_choice.ensure(settings)
    with by_hand() as run:
        cluster = run.session.cluster if run.guest else present(settings, engine)
        assert cluster is not None
        yield engine, cluster


def _guest(settings: Settings, given: Session) -> Run:
    """Return a run that uses the cluster and the stub of a session that another run holds."""
    session = replace(given, subject=str(settings.subject), engine=None, image=None)
    return Run(settings, session, ownership.RunRecord(run=given.run), datetime.now(UTC), guest=True)


def loaded(run: Run) -> Session:
    """Return a session whose images are on every node of its cluster."""
    subject = model.load(run.settings.subject)
    if not run.guest:
        inputs.check(run.settings, subject)
    engine = bringup.engine_of(run)
    lock = image_build.lock_of(run.settings, engine, subject)
    if not run.guest:
        inputs.fetch(run.settings, subject)
    cluster = bringup.cluster_of(run, engine)
    probe = anthropic.ensure_images(run.settings, engine)
    image = image_build.build(run.settings, engine, subject, lock=lock)
    load.load(engine, cluster, [probe, image.reference])
    return run.know(probe_image=probe, image=image, lock=lock)


def with_stub(run: Run, session: Session) -> Session:
    """Return the session with a stub of the API: its run's, the one of the step before, else a new one."""
    if session.stub is not None:
        return session
    assert session.engine is not None
    file = run.directory / STUB
    stub = _answering(file)
    if stub is None:
        anthropic.stop(session.engine, session.run)
        stub = anthropic.start(session.engine, session.run, image=session.probe_image)
        file.write_text(json.dumps(asdict(stub)))
    cluster_resolver.stub_hosts(Kube(deploy.cluster_of(session).kubeconfig), stub.names, stub.address)
    return run.know(stub=stub)


def _answering(file: Path) -> StubInfo | None:
    """Return the stub that was written down in ``file``, if it is there and answers."""
    try:
        data = json.loads(file.read_text())
        stub = StubInfo(**data | {"names": tuple(data["names"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return stub if anthropic.answers(stub) else None


def present(settings: Settings, engine: EngineInfo) -> ClusterInfo:
    """Return the cluster as it stands, making nothing.

    Raises UsageError if there is none, or its kubeconfig is set to another; EnvironmentFault if it is dead.
    """
    where = existing(settings)
    return cluster_info.gather(
        engine, settings.cluster, str(where.kubeconfig), kind=settings.kind, kubectl=str(where.kubectl)
    )


def existing(settings: Settings) -> kind_clusters.Place:
    """Return where the files of the cluster lie; errors as ``present``."""
    where = kind_clusters.place(settings, settings.cluster)
    if not where.kubeconfig.is_file():
        known = kind_clusters.ours(settings)
        hint = f"inv deploy makes it; there are: {', '.join(known)}" if known else "inv deploy makes it"
        raise UsageError(f"there is no cluster {settings.cluster!r}", hint=hint)
    contexts.check(where.kubeconfig, settings.cluster)
    return where


def taken_down(settings: Settings, engine: EngineInfo) -> bool:
    """Remove the cluster and what runs kept in it, its stubs too; return whether there was one.

    Raises EnvironmentFault while a run is at work in it, or where something does not go.
    """
    mine = ownership.RunRecord(run=name_of(settings))
    result = ownership.Swept()
    with ownership.cluster_held(settings, settings.cluster, mine):
        for record in ownership.runs(settings):
            if record.cluster == settings.cluster and not record.alive:
                sweeping.clear(engine, record, result)
                ownership.release(settings, record)
        there = bool(nodes_of(engine, settings.cluster))
        there = kind_clusters.down(settings, engine) or there
        shutil.rmtree(directory(settings), ignore_errors=True)
        shutil.rmtree(settings.state / "locks" / settings.cluster, ignore_errors=True)
    if result.failures:
        raise EnvironmentFault(f"not removed: {'; '.join(result.failures)}")
    return there
