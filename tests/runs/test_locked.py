"""The package lock in a run: compared before anything long, and left with the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boxproof.cluster.kind import node_image
from boxproof.core.own_project import LOCK as LOCK_FILE
from boxproof.core.own_project import context
from boxproof.core.session import EngineInfo, LockInfo, Move
from boxproof.core.settings import Settings
from boxproof.host.engine import engine_choice
from boxproof.runs import bringup, inputs, ownership, run_life
from boxproof.runs.run_life import Run
from boxproof.subject import model
from boxproof.subject.image import image_build
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import package_lock
from pytest_claims.faults import EnvironmentFault
from pytest_claims.reports import results

ENGINE = EngineInfo(way="user", host="unix:///nowhere", version="1", client="docker")
LOCK = LockInfo(
    system="debian-12", total=2, source="archive", moved=(Move(name="perf", locked="2", served="3"),)
)


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """A subject with a lock."""
    made = tmp_path / "subject"
    (made / "image").mkdir(parents=True)
    (made / "subject.toml").write_text('name = "x"\n')
    (made / "image" / package_lock.LOCK).write_text("# words\ndebian-12 jq 1\ndebian-12 perf 2\n")
    return model.load(made)


@pytest.fixture
def run(tmp_path: Path, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run that has begun, with an engine."""
    monkeypatch.setattr(engine_choice, "ensure", lambda _: ENGINE)
    monkeypatch.setattr(ownership, "sweep", lambda *_: None)
    settings = Settings(
        subject=subject.directory, reports=tmp_path / "reports", state=tmp_path / "state", cache=tmp_path
    )
    return run_life.begin(settings, "x")


def test_a_lock_that_does_not_hold_ends_a_run_before_anything_long(
    run: Run, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanished(*_: Any) -> LockInfo:
        raise EnvironmentFault("1 of 2 locked packages vanished", hint="inv lock")

    built: list[object] = []
    monkeypatch.setattr(image_build, "lock_of", vanished)
    monkeypatch.setattr(node_image, "ensure", lambda *words: built.append(words))
    monkeypatch.setattr(inputs, "check", lambda *_: None)  # no index is asked
    with run_life.enduring(run):
        bringup.session(run, subject)
    assert built == []
    assert "package lock" in run.timings
    found = results.collect(
        context(run.session), results.Judging(selected=("pvc-bound",), fault=run.fault or "")
    )
    assert found.verdict == "blocked"
    assert found.claims[0].reason == "1 of 2 locked packages vanished (inv lock)"
    assert found.packages is None


def test_the_lock_in_force_stays_with_the_report(
    run: Run, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_build, "lock_of", lambda *_: LOCK)
    bringup.lock_of(run, ENGINE, subject)
    assert (run.directory / LOCK_FILE).read_text() == "# words\ndebian-12 jq 1\ndebian-12 perf 3\n"
    found = results.collect(context(run.session), results.Judging(selected=("pvc-bound",)))
    assert results.read(run.directory / results.FILE) == found
    assert found.packages is not None
    assert found.packages.model_dump() == {
        "system": "debian-12",
        "locked": 2,
        "source": "archive",
        "moved": ({"name": "perf", "locked": "2", "served": "3"},),
        "difference": "1 of 2 packages moved: perf 2 → 3",
        "lock": "packages.lock",
    }
    assert found.summary().endswith("; 1 of 2 packages moved: perf 2 → 3")
