"""When a sabotage counts as killed, and the file that says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_claims.recording.records import Record
from pytest_claims.recording.red_lock import RedLock, Seen
from pytest_claims.reports import kill_table
from pytest_claims.reports.schema import SabotageResult
from pytest_claims.sabotages import Sabotage, judge
from pytest_claims.verdicts import Verdict

CLAIM = "pvc-bound"
FORM = "1" * 16
ONE = Sabotage(id=f"{CLAIM}/no-class", claim=CLAIM, sentence="drops it", scope="instance")


def ran(verdict: str, *more: str, failed: tuple[str, ...] = (), red: str = "requirement") -> Record:
    return Record(
        nodeid=f"t.py::{verdict}",
        claims=(CLAIM, *more),
        state="ended",
        verdict=Verdict(verdict),
        reason=f"was {verdict}",
        failed_controls=failed,
        form=FORM,
        red=red if verdict == "refuted" else "",
    )


def row(*reports: Record, baseline: str = "proven", **more: Any) -> SabotageResult:
    """Return the row of a sabotage, before which every check had the verdict ``baseline``."""
    checks = {each.nodeid: Verdict(baseline) for each in reports}
    options: dict[str, Any] = {"seconds": 1, "checks": checks} | more
    return kill_table.outcome(ONE, "+x", Verdict(baseline), reports, **options)


@pytest.mark.parametrize("baseline", Verdict)
@pytest.mark.parametrize("sabotaged", Verdict)
def test_killed_is_proven_before_and_refuted_after(baseline: Verdict, sabotaged: Verdict) -> None:
    assert judge(baseline, ran(sabotaged)) == ((baseline, sabotaged) == ("proven", "refuted"))


@pytest.mark.parametrize("red", ["", "fault", "assertion"])
def test_red_by_anything_but_its_requirement_kills_nothing(red: str) -> None:
    found = row(ran("refuted", red=red))
    assert (found.killed, "by no requirement" in found.reason) == (False, True)
    of_old = ran("refuted", red=red).model_copy(update={"by_requirements": False})
    assert judge(Verdict.PROVEN, of_old) == (red == "assertion")


def test_red_by_a_failed_control_kills_nothing() -> None:
    assert not judge(Verdict.PROVEN, ran("refuted", failed=("shows it",)))


def test_a_check_that_was_not_there_before_kills_nothing() -> None:
    found = row(ran("refuted"), ran("proven"), checks={"t.py::proven": Verdict.PROVEN})
    assert (found.killed, "was unproven before" in found.reason) == (False, True)


def test_a_change_that_is_not_in_what_was_asked_kills_nothing() -> None:
    found = row(ran("refuted"), in_force=False)
    assert (found.killed, found.reason) == (False, "what was asked did not have the change in it")


def test_a_row_tells_what_else_turned_red_and_how_each_check_ended() -> None:
    found = row(ran("refuted", "pvc-mounted-at-real-home"), ran("proven"))
    assert (found.killed, found.reason) == (True, "was refuted")
    assert found.also_refuted == ("pvc-mounted-at-real-home",)
    assert [(each.nodeid, each.killed) for each in found.checks] == [
        ("t.py::refuted", True),
        ("t.py::proven", False),
    ]


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
    found = row(*(ran(each) for each in verdicts), baseline=baseline)
    assert not found.killed
    assert reason in found.reason


def test_the_table_is_by_check_and_knows_what_was_seen_before(tmp_path: Path) -> None:
    untouched = {
        each: ran("proven").model_copy(update={"nodeid": each}) for each in ("t.py::old", "t.py::new")
    }
    lock = RedLock({"t.py::old": Seen(form=FORM, sabotage="earlier")})
    table = kill_table.write(tmp_path, [row(ran("refuted"))], lock, untouched)
    assert (table.checks_red, table.checks_total) == (2, 3)
    assert {each.nodeid: (each.killed_by, each.seen_red) for each in table.checks} == {
        "t.py::new": ((), ""),
        "t.py::old": ((), "earlier"),
        "t.py::refuted": ((ONE.id,), ONE.id),
    }
    assert kill_table.summary(table).startswith("2 of 3 checks seen red, 1 of 1 sabotages killed")


def test_what_was_seen_red_is_learnt_and_what_no_longer_is_forgotten() -> None:
    lock = kill_table.learn(RedLock(), [row(ran("refuted"))])
    assert lock.by("t.py::refuted", FORM) == ONE.id
    assert lock.by("t.py::refuted", "0" * 16) == ""
    blocked = ran("blocked").model_copy(update={"nodeid": "t.py::refuted"})
    assert kill_table.learn(lock, [row(blocked)]).by("t.py::refuted", FORM) == ONE.id
    green = ran("proven").model_copy(update={"nodeid": "t.py::refuted"})
    lock = kill_table.learn(lock, [row(green)])
    assert (lock.checks, lock.sabotages) == ({}, {})


def test_on_another_subject_a_check_is_learnt_and_nothing_is_forgotten() -> None:
    elsewhere = row(ran("refuted"), ran("proven"))
    known = Seen(form=FORM, sabotage=ONE.id)
    lock = kill_table.learn_elsewhere(RedLock({"t.py::proven": known}), [elsewhere])
    assert lock.checks == {"t.py::proven": known, "t.py::refuted": known}
    assert lock.sabotages == {}, "whether our own subject notices it is not known"


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [(["refuted"], 0), (["refuted", "proven"], 1), (["refuted", "blocked"], 3), (["unproven"], 4), ([], 4)],
)
def test_the_exit_code_is_zero_only_if_all_were_killed(
    verdicts: list[str], code: int, tmp_path: Path
) -> None:
    rows = [row(ran(each)) for each in verdicts]
    assert kill_table.exit_code(kill_table.write(tmp_path, rows)) == code


def test_the_file_has_the_fields_of_the_contract(tmp_path: Path) -> None:
    table = kill_table.write(tmp_path, [row(ran("refuted"), seconds=1.23)])
    data = json.loads((tmp_path / "sabotage.json").read_text())
    assert list(data) == [
        "schema", "killed", "total", "sabotages", "checks_red", "checks_total", "checks",
    ]  # fmt: skip
    assert (data["schema"], data["killed"], data["total"]) == (1, 1, 1)
    assert list(data["sabotages"][0]) == [
        "id", "claim", "sentence", "diff", "baseline", "verdict", "reason", "killed", "also_refuted",
        "seconds", "form", "checks",
    ]  # fmt: skip
    assert kill_table.read(tmp_path) == table
    assert kill_table.summary(table) == "1 of 1 checks seen red, 1 of 1 sabotages killed"


def test_the_totals_name_what_survived_but_not_a_hundred_of_them(tmp_path: Path) -> None:
    rows = [kill_table.failed(ONE, Verdict.UNPROVEN, "interrupted")] * (kill_table.NAMED + 2)
    table = kill_table.write(tmp_path, rows)
    told = kill_table.summary(table)
    assert told.startswith("0 of 22 sabotages killed; not killed: pvc-bound/no-class, ")
    assert (told.count("pvc-bound/no-class"), told.endswith(" and 2 more")) == (kill_table.NAMED, True)
