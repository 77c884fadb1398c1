"""When a sabotage counts as killed, and the file that says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_claims.recording.records import Record
from pytest_claims.reports import kill_table
from pytest_claims.sabotages import Sabotage, judge
from pytest_claims.verdicts import Verdict

CLAIM = "pvc-bound"
ONE = Sabotage(id=f"{CLAIM}/no-class", claim=CLAIM, sentence="drops it", scope="instance")


def ran(verdict: str, *more: str, failed: tuple[str, ...] = ()) -> Record:
    return Record(
        nodeid=f"t.py::{verdict}",
        claims=(CLAIM, *more),
        state="ended",
        verdict=Verdict(verdict),
        reason=f"was {verdict}",
        failed_controls=failed,
    )


@pytest.mark.parametrize("baseline", Verdict)
@pytest.mark.parametrize("sabotaged", Verdict)
def test_killed_is_proven_before_and_refuted_after(baseline: Verdict, sabotaged: Verdict) -> None:
    assert judge(baseline, sabotaged) == ((baseline, sabotaged) == ("proven", "refuted"))


def test_red_by_a_failed_control_kills_nothing() -> None:
    assert not judge(Verdict.PROVEN, Verdict.REFUTED, ran("refuted", failed=("shows it",)))


def test_a_row_tells_what_else_turned_red() -> None:
    row = kill_table.outcome(
        ONE, "+x", Verdict.PROVEN, [ran("refuted", "pvc-mounted-at-real-home")], seconds=1
    )
    assert (row.killed, row.reason) == (True, "was refuted")
    assert row.also_refuted == ("pvc-mounted-at-real-home",)


@pytest.mark.parametrize(
    ("baseline", "verdicts", "reason"),
    [
        ("proven", ["proven"], "stays green"),
        ("proven", ["blocked"], "was blocked"),
        ("proven", [], "no check"),
        ("blocked", ["refuted"], "untouched subject"),
    ],
)
def test_a_row_tells_why_it_survived(baseline: str, verdicts: list[str], reason: str) -> None:
    row = kill_table.outcome(ONE, "+x", Verdict(baseline), [ran(each) for each in verdicts], seconds=1)
    assert not row.killed
    assert reason in row.reason


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [(["refuted"], 0), (["refuted", "proven"], 1), (["refuted", "blocked"], 3), (["unproven"], 4), ([], 4)],
)
def test_the_exit_code_is_zero_only_if_all_were_killed(
    verdicts: list[str], code: int, tmp_path: Path
) -> None:
    rows = [kill_table.outcome(ONE, "", Verdict.PROVEN, [ran(each)], seconds=0) for each in verdicts]
    assert kill_table.exit_code(kill_table.write(tmp_path, rows)) == code


def test_the_file_has_the_fields_of_the_contract(tmp_path: Path) -> None:
    row = kill_table.outcome(ONE, "+x", Verdict.PROVEN, [ran("refuted")], seconds=1.23)
    table = kill_table.write(tmp_path, [row])
    data = json.loads((tmp_path / "sabotage.json").read_text())
    assert list(data) == ["schema", "killed", "total", "sabotages"]
    assert (data["schema"], data["killed"], data["total"]) == (1, 1, 1)
    assert list(data["sabotages"][0]) == [
        "id", "claim", "sentence", "diff", "baseline", "verdict", "reason", "killed", "also_refuted",
        "seconds",
    ]  # fmt: skip
    assert kill_table.read(tmp_path) == table
    assert kill_table.summary(table) == "1 of 1 sabotages killed"


def test_the_totals_name_what_survived_but_not_a_hundred_of_them(tmp_path: Path) -> None:
    rows = [kill_table.failed(ONE, Verdict.UNPROVEN, "interrupted")] * (kill_table.NAMED + 2)
    table = kill_table.write(tmp_path, rows)
    told = kill_table.summary(table)
    assert told.startswith("0 of 22 sabotages killed; not killed: pvc-bound/no-class, ")
    assert (told.count("pvc-bound/no-class"), told.endswith(" and 2 more")) == (kill_table.NAMED, True)
