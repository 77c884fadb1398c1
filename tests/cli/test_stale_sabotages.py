"""Which sabotages are tried again: those that may show something new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from boxproof.cli import sabotage
from boxproof.core.own_project import OURS
from boxproof.core.process import Result
from boxproof.core.session import Session
from boxproof.core.settings import Settings
from boxproof.runs import suite_runner
from boxproof.runs.run_life import Run
from boxproof.runs.suite_runner import Listed
from pytest_claims import sabotages
from pytest_claims.recording import records, red_lock
from pytest_claims.recording.records import Record
from pytest_claims.recording.red_lock import RedLock, Seen
from pytest_claims.reports.schema import CheckUnderSabotage, Results, SabotageResult
from pytest_claims.sabotages import Sabotage
from pytest_claims.verdicts import Verdict
from tests.support.proof_fixtures import run_directory, session

__all__ = ["run_directory", "session"]
CLAIM, NOW, BEFORE = "pvc-bound", "1" * 16, "2" * 16
CHECKS = {"t.py::a": Listed((CLAIM,), NOW), "t.py::b": Listed((CLAIM,), NOW)}


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RedLock:
    """A lock in which every check and sabotage of the claim stands as it is."""
    known = sabotage.select(Settings(claims=(CLAIM,)))
    made = RedLock(
        {name: Seen(form=each.form, sabotage=known[0].id) for name, each in CHECKS.items()},
        {each.id: sabotages.form(each) for each in known},
    )
    monkeypatch.setattr(sabotage, "OURS", replace(OURS, sabotage_dir=tmp_path))
    return made


def tried(lock: RedLock, place: Path, checks: dict[str, Listed] = CHECKS) -> bool:
    """Return whether the sabotages of the claim are tried with that lock: all or none."""
    chosen = [each for each in OURS.sabotages().values() if each.claim == CLAIM]
    red_lock.write(place, lock)
    found = sabotage.stale(chosen, checks)
    assert found in ([], chosen)
    return bool(found)


def test_what_is_known_is_not_tried_again(lock: RedLock, tmp_path: Path) -> None:
    assert not tried(lock, tmp_path)


def test_a_check_that_changed_or_was_never_seen_red_is_tried(lock: RedLock, tmp_path: Path) -> None:
    lock.checks["t.py::b"] = Seen(form=BEFORE, sabotage="x")
    assert tried(lock, tmp_path)
    del lock.checks["t.py::b"]
    assert tried(lock, tmp_path)


def test_where_the_checks_are_not_known_everything_is_tried(lock: RedLock, tmp_path: Path) -> None:
    assert tried(lock, tmp_path, {})


def test_a_sabotage_that_changed_is_tried_alone(lock: RedLock, tmp_path: Path) -> None:
    first, *others = list(lock.sabotages)
    lock.sabotages[first] = BEFORE
    red_lock.write(tmp_path, lock)
    chosen = [each for each in OURS.sabotages().values() if each.claim == CLAIM]
    assert [each.id for each in sabotage.stale(chosen, CHECKS)] == [first]
    assert first not in others


def test_a_check_of_what_the_box_lacks_is_not_waited_for() -> None:
    checks = {"t.py::a": Listed((CLAIM,), NOW, ("plain-start",)), "t.py::b": Listed((CLAIM,), NOW, ("box",))}
    assert list(sabotage.about(checks, {"plain-start": "proven mode by mode"})) == ["t.py::b"]


@pytest.mark.parametrize(
    ("seen", "red", "before", "asked"),
    [
        ((), "t.py::a", "proven", [()]),  # all of them, as there is nothing to leave out
        (("t.py::a",), "t.py::b", "proven", [("t.py::b",)]),
        (("t.py::a",), "t.py::b", "refuted", [("t.py::b",), ("t.py::a",)]),  # red before, it says nothing
        (("t.py::a",), "", "proven", [("t.py::b",), ("t.py::a",)]),
        (("t.py::a", "t.py::b"), "", "proven", [("t.py::b", "t.py::a")]),
    ],
)
def test_what_was_seen_red_runs_only_until_the_sabotage_is_noticed(
    lock: RedLock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    session: Session,
    seen: tuple[str, ...],
    red: str,
    before: str,
    asked: list[tuple[str, ...]],
) -> None:
    """Of two checks ``seen`` are in the lock, "b" as this sabotage's own; ``red`` is what is red now.

    ``before`` is the verdict of "b" on the untouched box.
    """
    one = next(each for each in OURS.sabotages().values() if each.claim == CLAIM)
    by = {"t.py::a": "another", "t.py::b": one.id}
    lock.checks = {name: Seen(form=NOW, sabotage=by[name]) for name in seen}
    red_lock.write(tmp_path, lock)
    runs: list[tuple[str, ...]] = []

    def pretend(_: Session, claim: str, *, checks: Sequence[str] = (), until_red: bool = False) -> Result:
        assert until_red is bool(set(checks) & set(seen))
        runs.append(tuple(checks))
        for name in set(checks) & {red}:
            record = Record(nodeid=name, claims=(claim,), state="ended", verdict=Verdict.REFUTED)
            record = record.model_copy(update={"red": "requirement"})
            records.save(Path(session.directory), record)
        return Result(argv=(), code=0, stdout="", stderr="", seconds=0.0)

    monkeypatch.setattr(suite_runner, "prove_quietly", pretend)
    sabotage.prove(session, one, {"t.py::a": Verdict.PROVEN, "t.py::b": Verdict(before)}, CHECKS)
    assert runs == asked


def test_what_is_red_for_another_reason_ends_no_search(
    lock: RedLock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    one = next(each for each in OURS.sabotages().values() if each.claim == CLAIM)
    lock.checks = {name: Seen(form=NOW, sabotage="another") for name in CHECKS}
    red_lock.write(tmp_path, lock)
    runs: list[tuple[str, ...]] = []

    def pretend(_: Session, claim: str, *, checks: Sequence[str] = (), until_red: bool = False) -> Result:
        runs.append(tuple(checks))
        for name in checks:
            ran = name == checks[0]
            record = Record(nodeid=name, claims=(claim,), state="ended" if ran else sabotage.NOT_NEEDED)
            records.save(Path(session.directory), record.model_copy(update={"red": "fault" if ran else ""}))
        return Result(argv=(), code=0, stdout="", stderr="", seconds=0.0)

    monkeypatch.setattr(suite_runner, "prove_quietly", pretend)
    sabotage.prove(session, one, dict.fromkeys(CHECKS, Verdict.PROVEN), CHECKS)
    assert runs == [("t.py::a", "t.py::b"), ("t.py::b",)]


def test_nothing_to_try_is_accepted_and_brings_nothing_up(
    lock: RedLock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    red_lock.write(tmp_path, lock)
    monkeypatch.setattr(suite_runner, "collected", lambda: CHECKS)
    asked = Settings(claims=(CLAIM,), reports=tmp_path / "reports", state=tmp_path / "state")
    assert sabotage.main(asked) == 0
    said = capsys.readouterr()
    assert "--all" in said.out + said.err
    assert not (tmp_path / "reports").exists()


def test_what_was_killed_is_noted_at_once(lock: RedLock, tmp_path: Path) -> None:
    del lock.checks["t.py::b"]
    red_lock.write(tmp_path, lock)
    one = next(each for each in OURS.sabotages().values() if each.claim == CLAIM)
    check = CheckUnderSabotage(
        nodeid="t.py::b", before=Verdict.PROVEN, verdict=Verdict.REFUTED, killed=True, form=NOW
    )
    row = SabotageResult(
        id=one.id, claim=CLAIM, sentence="x", diff="", baseline=Verdict.PROVEN, verdict=Verdict.REFUTED,
        reason="", killed=True, form=NOW, checks=(check,),
    )  # fmt: skip
    sabotage.remember([row], tmp_path / "state")
    assert red_lock.read(tmp_path).by("t.py::b", NOW) == one.id


def test_what_is_not_known_comes_first_and_what_it_showed_is_not_tried_again(
    lock: RedLock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = "pvc-survives-pod-deletion"
    *known, last = sabotage.select(Settings(claims=(claim,)))
    lock.sabotages = {each.id: sabotages.form(each) for each in known}
    red_lock.write(tmp_path, lock)
    tried: list[str] = []

    def pretend(_: Run, one: Sabotage, *__: object) -> SabotageResult:
        tried.append(one.id)
        red = CheckUnderSabotage(
            nodeid="t.py::of-it", before=Verdict.PROVEN, verdict=Verdict.REFUTED, killed=True, form=NOW
        )
        return SabotageResult(
            id=one.id, claim=claim, sentence="x", diff="", baseline=Verdict.PROVEN, verdict=Verdict.REFUTED,
            reason="", killed=True, form=sabotages.form(one), checks=(red,),
        )  # fmt: skip

    monkeypatch.setattr(sabotage, "attempt", pretend)
    monkeypatch.setattr(sabotage, "SIDE_BY_SIDE", 1)
    run = cast("Run", SimpleNamespace(settings=Settings(state=tmp_path / "state")))
    followed = cast("Results", SimpleNamespace(claims=()))
    checks = {"t.py::of-it": Listed((claim,), NOW)}
    rows: list[SabotageResult] = []
    spared = sabotage.try_all(run, [*known, last], followed, {}, rows, checks)
    assert tried == [last.id] == [each.id for each in rows]
    assert spared == {each.id for each in known}
