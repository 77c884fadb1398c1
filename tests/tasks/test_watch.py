"""What an edit sets going, and what a newer edit makes of the rest."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.own_project import OURS
from boxproof.core.session import Session
from boxproof.core.settings import ROOT, Settings
from boxproof.runs.ownership import RunRecord
from boxproof.runs.run_life import Run
from boxproof.subject import model, parts
from boxproof.tasks import watch
from pytest_claims.faults import EnvironmentFault, SubjectFault
from pytest_claims.own_process import CutShort
from pytest_claims.waiting import until

ENTRYPOINT = ROOT / "image/rootfs/usr/local/bin/entrypoint"
POLICY = ROOT / "manifests/base/networkpolicy.yaml"


class Notes:
    """Stands in for engine and cluster, and notes what was asked of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.proven: list[tuple[str, ...]] = []
        self.deployed = self.cleared = 0
        self.broken = False
        monkeypatch.setattr(watch, "redeployed", self.redeployed)
        monkeypatch.setattr("boxproof.runs.suite_runner.prove", self.prove)
        monkeypatch.setattr(watch, "report", lambda *_: None)
        monkeypatch.setattr(watch.Watch, "clear", self.clear)

    def redeployed(self, run: Run, *_: Any) -> Session:
        if self.broken:
            raise SubjectFault("it does not build")
        self.deployed += 1
        return run.session

    def prove(self, settings: Settings, _: Session, stop: Callable[[], bool]) -> None:
        if stop():
            raise CutShort
        self.proven.append(settings.claims)

    def clear(self, *_: Any) -> None:
        self.cleared += 1


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> Notes:
    return Notes(monkeypatch)


def watching(tmp_path: Path, **options: Any) -> watch.Watch:
    settings = Settings(subject=ROOT, state=tmp_path, cache=tmp_path, reports=tmp_path, **options)
    session = Session(run="r", directory=str(tmp_path), subject=str(ROOT), cache="", state="")
    return watch.Watch(Run(settings, session, RunRecord(run="r"), datetime.now(UTC)))


def test_an_edit_is_proven_area_by_area_the_nearest_first(tmp_path: Path, notes: Notes) -> None:
    made = watching(tmp_path)
    watch.attempt(made, (ENTRYPOINT,))
    assert "entrypoint-exec-form" in notes.proven[0]
    assert not any(each.startswith("auth-") for each in notes.proven[0])
    while made.waves:
        watch.attempt(made, ())
    watch.attempt(made, ())
    assert (notes.deployed, notes.cleared) == (1, 1)
    known = OURS.claims()
    areas = [known[each].area for wave in notes.proven for each in wave]
    assert list(dict.fromkeys(areas)) == ["ENT", "AUTH", "PROBE", "ISO"]


def test_of_an_area_what_is_proven_quickly_comes_first() -> None:
    seconds = {"slow": 60.0, "quick": 3.0, "quicker": 1.0, "middling": 10.0}
    wave = ("slow", "quick", "new", "middling", "quicker")
    assert watch.parted(wave, seconds, 5.0) == (("quick", "quicker"), ("slow", "new", "middling"))
    assert watch.parted(wave, {}, 5.0) == ((), wave)
    assert watch.parted(wave, dict.fromkeys(wave, 1.0), 5.0) == (wave, ())


def test_a_newer_edit_comes_before_what_is_left_of_an_older_one(tmp_path: Path, notes: Notes) -> None:
    made = watching(tmp_path)
    known = OURS.claims()
    watch.attempt(made, (ENTRYPOINT,))
    watch.attempt(made, (POLICY,))
    while made.waves:
        watch.attempt(made, ())
    assert {known[each].area for each in notes.proven[-1]} == {"NET"}
    assert (notes.deployed, notes.cleared, made.waves) == (2, 2, [])


def test_a_newer_edit_cuts_short_what_is_being_proven(tmp_path: Path, notes: Notes) -> None:
    made, newer = watching(tmp_path, claims=("pvc-bound",)), [True]
    made.newer = lambda: newer[0]
    watch.attempt(made, (ENTRYPOINT,))
    assert (notes.proven, made.waves) == ([], [("pvc-bound",)])
    newer[0] = False
    watch.attempt(made, (ENTRYPOINT,))
    assert (notes.proven, notes.deployed, notes.cleared) == ([("pvc-bound",)], 2, 2)


def test_edits_are_noticed_while_something_else_goes_on(tmp_path: Path) -> None:
    subject = model.load(ROOT)
    for each in parts.watched(subject):
        target = tmp_path / each.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if each.is_dir() else shutil.copy2)(each, target)
    copy = model.load(tmp_path)
    first, second = (tmp_path / each.relative_to(ROOT) for each in (ENTRYPOINT, POLICY))
    with watch.Edits(copy) as edits:
        assert edits.take(0.0) == ()
        until(lambda: _touch(first) and edits.waiting(), timeout=30, what="an edit is noticed", every=0.5)
        second.write_text(second.read_text() + "\n")
        found = set(edits.take(30))
        while second not in found:
            more = edits.take(30)
            assert more, "the other edit is not noticed"
            found.update(more)
    assert found == {first, second}


def test_edits_that_came_meanwhile_are_taken_together() -> None:
    edits = watch.Edits(model.load(ROOT))
    for each in (ENTRYPOINT, POLICY):
        edits.found.put({each})
    assert edits.waiting()
    assert edits.take(0.0) == tuple(sorted((ENTRYPOINT, POLICY)))
    assert not edits.waiting()


def test_edits_that_cannot_be_noticed_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*_: Any, **__: Any) -> Any:
        raise OSError("no space left on device")

    monkeypatch.setattr("watchfiles.watch", short)
    with (
        watch.Edits(model.load(ROOT)) as edits,
        pytest.raises(EnvironmentFault, match="noticed: no space left"),
    ):
        edits.take(30)


def _touch(path: Path) -> bool:
    """Edit a file: whoever watches may not have begun yet."""
    path.write_text(path.read_text() + "\n")
    return True


def test_claims_asked_for_are_one_wave_and_other_files_none(tmp_path: Path, notes: Notes) -> None:
    made = watching(tmp_path, claims=("pvc-bound",))
    watch.attempt(made, (ENTRYPOINT,))
    assert notes.proven == [("pvc-bound",)]
    watch.attempt(watching(tmp_path), (ROOT / "README.md",))
    assert notes.deployed == 1


def test_a_mistake_is_shown_and_the_next_edit_mends_it(
    tmp_path: Path, notes: Notes, capsys: pytest.CaptureFixture[str]
) -> None:
    made = watching(tmp_path)
    notes.broken = True
    watch.attempt(made, (ENTRYPOINT,))
    assert "it does not build" in capsys.readouterr().err
    watch.attempt(made, ())
    assert notes.proven == []
    notes.broken = False
    watch.attempt(made, (ENTRYPOINT,))
    assert len(notes.proven) == 1


def test_every_area_that_an_edit_touches_has_its_wave() -> None:
    subject = model.load(ROOT)
    waves = watch.chosen(Settings(subject=ROOT), subject, (ROOT / "subject.toml",))
    assert len(waves) > 5
    assert len({name for wave in waves for name in wave}) == sum(map(len, waves))
