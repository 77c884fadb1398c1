"""The campaign of interrupts: its moments come from the seed, its judging misses nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from boxproof.cli import interrupts, options
from boxproof.cli.interrupts import PHASES, plans
from boxproof.core.settings import Settings
from boxproof.host import process_table
from boxproof.reports import interrupt_results
from boxproof.reports.interrupt_results import ACTIONS, Action, Campaign, Row
from boxproof.runs import leftovers
from pytest_claims.faults import UsageError
from pytest_claims.waiting import until


def row(action: Action = "int", **facts: object) -> Row:
    """Return a clean row of a run that ended in time."""
    given = {"code": 130 if action in interrupt_results.GENTLE else -9, "seconds": 4.0} | facts
    return Row.model_validate({"number": 1, "seed": 1, "action": action, "phase": "checks"} | given)


@pytest.mark.parametrize("action", ACTIONS)
def test_one_that_stops_in_time_and_leaves_nothing_is_clean(action: Action) -> None:
    assert row(action).faults == []


@pytest.mark.parametrize(
    ("facts", "fault"),
    [
        ({"code": 1}, "exit code 1"),
        ({"code": 0}, "exit code 0"),
        ({"seconds": 12.1}, "ended after 12.1 s"),
        ({"orphans": ("process 7 kind",)}, "orphan: process 7 kind"),
        ({"left": ("Namespace claude Terminating",)}, "left: Namespace claude Terminating"),
    ],
)
@pytest.mark.parametrize("action", ["int", "term"])
def test_each_thing_that_is_wrong_is_a_fault(action: Action, facts: dict[str, object], fault: str) -> None:
    found = row(action, **facts)
    assert found.faults == [fault]
    assert fault in found.line


def test_how_a_killed_nox_ends_is_no_fault_and_what_it_leaves_is() -> None:
    assert row("kill-nox", code=-9, seconds=60).faults == []
    assert row("kill-nox", orphans=("process 7",)).faults == ["orphan: process 7"]
    assert row("kill-all", left=("record of x",)).faults == ["left: record of x"]


def campaign(*rows: Row) -> Campaign:
    """Return a campaign of these rows."""
    now = datetime.now(UTC)
    return Campaign(seed=1, started=now, finished=now, claims=("a",), rows=rows)


def test_a_campaign_is_clean_only_when_half_of_it_was_sent_and_all_of_that_was_clean(tmp_path: Path) -> None:
    assert not campaign().clean
    assert not campaign(row(sent=False, code=0)).clean
    assert campaign(row(), row(sent=False, code=0)).clean
    assert not campaign(row(), *[row(sent=False, code=0)] * 2).clean
    mixed = campaign(row(), row("term", code=1), row("kill-all"), row(sent=False))
    assert not mixed.clean
    assert mixed.summary() == (
        "2 of 3 interrupts clean (int 1/1, term 0/1, kill-all 1/1); slowest end 4.0 s; 1 not sent"
    )
    told = json.loads(interrupt_results.write(tmp_path / "new", mixed).read_text())
    assert (told["schema"], told["clean"], len(told["rows"])) == (1, False, 4)
    assert told["rows"][1]["faults"] == ["exit code 1"]


def test_the_same_seed_gives_the_same_moments_and_every_pair_comes_before_one_comes_again() -> None:
    found = plans(40, 7)
    assert found == plans(40, 7)
    assert found != plans(40, 8)
    pairs = [(each.action, each.phase) for each in found[: len(ACTIONS) * len(PHASES)]]
    assert len(set(pairs)) == len(pairs)
    assert {each.action for each in plans(20, 7, ["term"])} == {"term"}
    assert all(0 <= each.fraction < 1 for each in found)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"count": "0"}, "N='0'"),
        ({"count": "many"}, "N='many'"),
        ({"seed": "x"}, "--seed='x'"),
        ({"only": "itn"}, "--only=itn"),
        ({"minutes": "-1"}, "--minutes='-1'"),
    ],
)
def test_wrong_usage_is_told_before_anything_runs(tmp_path: Path, options: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        interrupts.main(Settings(reports=tmp_path, state=tmp_path), **options)
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_gives_the_number_and_the_seed() -> None:
    settings, own = options.asked(["7", "--seed", "3", "--only", "int,term"], "interrupts", "")
    assert own == {"count": "7", "seed": "3", "only": "int,term", "minutes": "600"}
    assert settings.claims == ()


FAMILY = """
import subprocess, sys, time
program = "import time; time.sleep(60)"
subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
print("started", flush=True)
time.sleep(60)
"""


def test_a_tree_is_a_process_and_all_below_it_and_goes_as_a_whole() -> None:
    top = subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE)
    assert top.stdout is not None
    with top.stdout:
        assert top.stdout.readline()
        until(lambda: len(leftovers.below(top.pid)) == 2, timeout=30, what="a child")
        tree = leftovers.Tree.of(top.pid)
        assert len(tree.alive()) == 2
        tree.kill()
        top.wait(30)
    until(lambda: not tree.alive(), timeout=30, what="the end of the tree")
    assert not any(map(process_table.start_time, tree.members))


def test_the_help_names_every_action() -> None:
    assert f"comma-separated: {', '.join(ACTIONS)}\n" in options.parser("interrupts", "").format_help()
