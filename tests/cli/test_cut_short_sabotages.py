"""A sabotage that was not killed while something of the environment had died has a second turn."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from boxproof.cli import sabotage
from boxproof.core.settings import Settings
from boxproof.runs import recovery
from boxproof.runs.run_life import Run
from pytest_claims.recording import records
from pytest_claims.recording.records import Record
from pytest_claims.reports import kill_table
from pytest_claims.reports.schema import Results, SabotageResult
from pytest_claims.sabotages import Sabotage
from pytest_claims.verdicts import Verdict

DEATH = "environment dead: kube-router is not Ready; seen before: it holds secrets"
CLAIM = "pvc-survives-pod-deletion"


class Trials:
    """The sabotages of a claim, of which the first comes to ``reason`` in its first turn."""

    def __init__(self, place: Path, reason: str, *, recorded: bool) -> None:
        self.chosen = sabotage.select(Settings(claims=(CLAIM,)))
        self.reason, self.recorded = reason, recorded
        self.run = cast(
            "Run",
            SimpleNamespace(settings=Settings(state=place / "state"), directory=place / "run", session=None),
        )
        self.turns: list[str] = []

    def attempt(self, run: Run, one: Sabotage, *_: object) -> SabotageResult:
        """Stand for a sabotage that is tried: in its second turn, as any other, it is killed."""
        home = sabotage.home_of(run, one)
        home.mkdir(parents=True)
        self.turns.append(one.id)
        if one == self.chosen[0] and self.turns.count(one.id) == 1:
            if not self.recorded:
                return kill_table.failed(one, Verdict.PROVEN, self.reason)
            name = "t.py::a"
            record = Record(nodeid=name, claims=(CLAIM,), state="ended", reason=self.reason)
            records.save(home, record)
            return kill_table.outcome(
                one, "", Verdict.PROVEN, [record], seconds=1, checks={name: Verdict.PROVEN}
            )
        return SabotageResult(
            id=one.id, claim=CLAIM, sentence="x", diff="", baseline=Verdict.PROVEN, verdict=Verdict.REFUTED,
            reason="", killed=True,
        )  # fmt: skip

    def made(self) -> list[SabotageResult]:
        """Try all of them and return the rows of the table."""
        rows: list[SabotageResult] = []
        sabotage.try_all(
            self.run, self.chosen, cast("Results", SimpleNamespace(claims=())), {}, rows, listed={}
        )
        return rows


@pytest.mark.parametrize("recorded", [True, False])
def test_it_is_tried_again_after_the_others_and_has_one_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorded: bool
) -> None:
    trials = Trials(tmp_path, DEATH, recorded=recorded)
    monkeypatch.setattr(sabotage, "attempt", trials.attempt)
    monkeypatch.setattr(sabotage, "remember", lambda *_, **__: None)
    monkeypatch.setattr(recovery, "is_well", lambda _: True)
    rows = trials.made()
    first = trials.chosen[0]
    assert trials.turns[-1] == first.id
    assert trials.turns.count(first.id) == 2
    assert sorted(each.id for each in rows) == sorted(each.id for each in trials.chosen)
    assert all(each.killed for each in rows)
    home = sabotage.home_of(trials.run, first)
    assert home.with_name(f"{home.name}--cut-short").is_dir()


@pytest.mark.parametrize(("reason", "well"), [("no such file", True), (DEATH, False)])
def test_any_other_and_what_stays_dead_has_one_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str, well: bool
) -> None:
    trials = Trials(tmp_path, reason, recorded=False)
    monkeypatch.setattr(sabotage, "attempt", trials.attempt)
    monkeypatch.setattr(sabotage, "remember", lambda *_, **__: None)
    monkeypatch.setattr(recovery, "is_well", lambda _: well)
    rows = trials.made()
    assert trials.turns.count(trials.chosen[0].id) == 1
    assert [each.id for each in rows if not each.killed] == [trials.chosen[0].id]
