"""A check that a death around it kept from a verdict has a second turn; one with a verdict has none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from boxproof.core.session import Session
from boxproof.core.settings import Settings
from boxproof.runs import recovery, suite_runner
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.recording import records
from pytest_claims.recording.records import Record
from pytest_claims.verdicts import Verdict

DEATH = "environment dead: the API server of x does not answer; seen before: no route"
FIRST = {
    "t.py::proven": (Verdict.PROVEN, ""),
    "t.py::refuted": (Verdict.REFUTED, "a root process"),
    "t.py::blocked": (Verdict.BLOCKED, "control failed: the twin was refused"),
    "t.py::dead": (Verdict.BLOCKED, DEATH),
    "t.py::dead-twice": (Verdict.BLOCKED, DEATH),
}
Turns = list[tuple[str, ...]]


def save(run: Path, name: str, verdict: Verdict, reason: str) -> None:
    """Write a record that has ended."""
    records.save(
        run, Record(nodeid=name, claims=("pvc-bound",), state="ended", verdict=verdict, reason=reason)
    )


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A session whose checks have had their first turn."""
    run = tmp_path / "run"
    for name, (verdict, reason) in FIRST.items():
        save(run, name, verdict, reason)
    records.save_collected(run, dict.fromkeys(FIRST, ("pvc-bound",)))
    records.save_later(run, {"pvc-bound": "in a later stage"})
    place = str(tmp_path)
    return Session(run="run", directory=str(run), subject=place, cache=place, state=place)


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch, session: Session) -> Turns:
    """The second turns that were given; in them one check is proven, the other dies again."""
    given: Turns = []
    run = Path(session.directory)

    def pretend(settings: Settings, _: Session, *, checks: Sequence[str]) -> int:
        assert (settings.workers, settings.claims) == (1, ("pvc-bound",))
        given.append(tuple(checks))
        for name in checks:
            again = name.endswith("twice")
            save(run, name, Verdict.BLOCKED if again else Verdict.PROVEN, DEATH if again else "")
        records.save_collected(run, dict.fromkeys(checks, ("pvc-bound",)))
        records.save_later(run, {})
        return 0

    monkeypatch.setattr(suite_runner, "prove", pretend)
    monkeypatch.setattr(recovery, "liveness", lambda _: None)
    return given


def test_what_has_no_verdict_has_a_second_turn_and_says_so(session: Session, turns: Turns) -> None:
    recovery.prove_again(Settings(workers=3), session)
    run = Path(session.directory)
    found = {name: (each.verdict, each.reason) for name, each in records.load(run).items()}
    assert turns == [("t.py::dead", "t.py::dead-twice")]
    told = f"in its second turn; in the first: {DEATH}"
    assert found == FIRST | {"t.py::dead": (Verdict.PROVEN, told)}


def test_the_run_still_knows_all_its_checks(session: Session, turns: Turns) -> None:
    recovery.prove_again(Settings(), session)
    run = Path(session.directory)
    assert turns
    assert set(records.collected(run)) == set(FIRST)
    assert records.later(run) == {"pvc-bound": "in a later stage"}


def test_what_stays_dead_has_no_second_turn(
    session: Session, turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise DeadlineExceeded("all is well again: not within 180 s")

    monkeypatch.setattr(recovery, "until", never)
    recovery.prove_again(Settings(), session)
    assert not turns
    assert records.load(Path(session.directory))["t.py::dead"].reason == DEATH


def test_where_nothing_died_nothing_is_waited_for(
    session: Session, turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, (_, reason) in FIRST.items():
        save(Path(session.directory), name, Verdict.REFUTED, reason)  # also by what tells of a death
    monkeypatch.delattr(recovery, "until")
    recovery.prove_again(Settings(), session)
    assert not turns
