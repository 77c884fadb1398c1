"""What a check takes of the processors: its worker, what that starts, and its share of the nodes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_claims.recording import check
from pytest_claims.recording.records import Record
from pytest_claims.verdicts import Verdict

Suite = Callable[..., Any]
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
BURNS = """
import subprocess, sys, time
SPIN = "import time\\nwhile time.process_time() < {}: pass"
BUSY = require("it is busy", lambda seconds: seconds > 0)
@claim("pvc-bound")
def test_it():
    subprocess.run([sys.executable, "-c", SPIN.format(0.3)], check=True)
    with control("idle"):
        BUSY.fails(observe("seconds", "other", 0))
    BUSY(observe("seconds", "own", 1))
"""
AROUND = """
used = iter([100.0, 107.5])
def pytest_claims_processors():
    return next(used)
"""


def ran(name: str, begin: float, end: float, around: float, carried: str = "") -> Record:
    return Record(
        nodeid=name, claims=("a",), verdict=Verdict.PROVEN, processors_around=around, carried=carried,
        started=BEGAN + timedelta(seconds=begin), ended=BEGAN + timedelta(seconds=end),
    )  # fmt: skip


def test_the_record_says_what_worker_children_and_nodes_took(suite: Suite) -> None:
    found = suite(BURNS, conftest=AROUND).only

    assert found.verdict == "proven"
    assert found.processors >= 0.3
    assert found.processors_around == 7.5


def test_where_nothing_tells_of_nodes_only_its_own_is_said(suite: Suite) -> None:
    assert suite(BURNS).only.processors_around == 0


def test_what_was_used_for_all_is_dealt_among_those_that_ran() -> None:
    alone, one, other = ran("alone", 0, 10, 8), ran("one", 20, 30, 12), ran("other", 20, 30, 12)

    assert check.processor_shares([alone, one, other]) == {"alone": 8, "one": 6, "other": 6}


def test_one_that_ran_half_the_time_takes_less_off_the_other() -> None:
    assert check.processor_shares([ran("long", 0, 10, 15), ran("short", 5, 10, 8)]) == {
        "long": 10,
        "short": 4,
    }


def test_an_earlier_run_takes_nothing_off_this_one() -> None:
    found = [ran("now", 0, 10, 8), ran("then", 0, 10, 8, carried="earlier")]

    assert check.processor_shares(found) == {"now": 8, "then": 8}


def test_a_check_that_did_not_end_has_no_share() -> None:
    assert check.processor_shares([Record(nodeid="cut", claims=("a",))]) == {"cut": 0}
