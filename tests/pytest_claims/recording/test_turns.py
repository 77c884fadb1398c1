"""How long a check has its worker for, with what is made for it before it begins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pytest_claims.recording import records
from pytest_claims.recording.records import Record

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def check(name: str, worker: str, begins: int, ends: int, carried: str = "") -> Record:
    """Return the record of a check that ran between two seconds on a worker."""
    return Record(
        nodeid=name, claims=("a-claim",), worker=worker, carried=carried,
        started=BEGUN + timedelta(seconds=begins), ended=BEGUN + timedelta(seconds=ends),
    )  # fmt: skip


def test_a_turn_begins_where_the_one_before_it_ended_on_the_same_worker() -> None:
    reports = [check("c", "w0", 12, 15), check("a", "w0", 3, 5), check("b", "w1", 9, 10)]
    assert records.turns(reports) == {"a": 2.0, "b": 1.0, "c": 10.0}


def test_what_was_carried_or_has_not_ended_has_no_turn() -> None:
    under_way = check("b", "w0", 5, 9).model_copy(update={"ended": None})
    assert records.turns([check("a", "w0", 1, 2, carried="earlier"), under_way]) == {}
