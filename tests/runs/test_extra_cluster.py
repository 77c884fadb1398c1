"""A cluster that a check makes beside the run's is gone with the run, whichever of the two is killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.core.process import daemon
from boxproof.core.session import Session
from boxproof.core.settings import Settings
from boxproof.runs import extra_cluster, ownership
from pytest_claims.faults import EnvironmentFault
from tests.support.cluster_fixtures import FakeEngine


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings below ``tmp_path``, with the record of a run that is at work in the cluster "mine"."""
    made = Settings(state=tmp_path / "state", cache=tmp_path / "cache")
    ownership.within(made, ownership.claim_run(made, "r1"), "mine")
    return made


@pytest.fixture
def session(settings: Settings, engine: FakeEngine, tmp_path: Path) -> Session:
    """The session of that run."""
    return Session(
        run="r1",
        directory=str(tmp_path),
        subject="",
        cache="",
        state=str(settings.state),
        engine=engine.info,
    )


def noted(settings: Settings) -> tuple[str, ...]:
    return ownership.of(settings, "r1").clusters


def test_it_is_noted_before_it_is_made_and_removed_with_its_makers(
    settings: Settings, session: Session, engine: FakeEngine, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt), extra_cluster.another(session) as name:
        assert noted(settings) == (name,)
        engine.add_node(f"{name}-control-plane")
        maker = daemon(["sleep", "60"], log=tmp_path / "log", env={"BOXPROOF_CLUSTER": name})
        other = daemon(["sleep", "60"], log=tmp_path / "log", env={"BOXPROOF_CLUSTER": "mine"})
        raise KeyboardInterrupt
    assert maker.wait(0) < 0
    assert other.poll() is None
    other.kill()
    other.wait()
    assert engine.nodes == []
    assert noted(settings) == ()


def test_without_a_record_nothing_is_made(settings: Settings, session: Session) -> None:
    ownership.release(settings, ownership.of(settings, "r1"))
    with pytest.raises(EnvironmentFault, match="no record"), extra_cluster.another(session):
        pytest.fail("a name was given")


def test_what_a_killed_worker_left_goes_with_the_run(settings: Settings, engine: FakeEngine) -> None:
    record = ownership.of(settings, "r1")
    ownership.note(settings, record, cluster="beside")
    engine.add_node("beside-worker")
    extra_cluster.remove_left(settings, engine.info, record)
    assert engine.nodes == []
    assert noted(settings) == ()


def test_one_that_does_not_go_stays_noted(settings: Settings, engine: FakeEngine) -> None:
    record = ownership.of(settings, "r1")
    ownership.note(settings, record, cluster="beside")
    Path(engine.info.client).unlink()
    with pytest.raises(EnvironmentFault):
        extra_cluster.remove_left(settings, engine.info, record)
    assert extra_cluster.left(settings, record) == ["beside"]


def test_the_runs_own_cluster_is_left_alone(settings: Settings, engine: FakeEngine) -> None:
    record = ownership.note(settings, ownership.of(settings, "r1"), cluster="mine")
    ownership.note(settings, record, cluster="being-made")
    engine.add_node("mine-worker")
    ownership.forget(settings, ownership.of(settings, "r1"), cluster="being-made")
    extra_cluster.remove_left(settings, engine.info, record)
    assert engine.nodes == ["mine-worker"]
