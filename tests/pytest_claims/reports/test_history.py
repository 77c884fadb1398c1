"""A line a run; what changed since the last accepted one; what was never sure."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from pytest_claims.reports import history, results
from pytest_claims.reports.history import Line
from pytest_claims.reports.schema import Counts, RunVerdict
from tests.support.report_samples import STARTED, sample


def line(day: int, verdict: RunVerdict = "accepted", image: str = "", **claims: str) -> Line:
    """A run of a day with the statuses of its claims."""
    at = STARTED + timedelta(days=day)
    return Line(
        run=f"run-{day}", started=at, finished=at, verdict=verdict, subject="box", image=image or f"i{day}",
        counts=Counts(proven=1), claims=claims, took=dict.fromkeys(claims, 10.0 + 20 * day),
    )  # fmt: skip


def test_what_changed_is_told_since_the_last_accepted_run() -> None:
    before = [line(1, a="proven", b="refuted", old="proven"), line(2, "refuted", a="proven", b="proven")]
    past = history.compare(line(3, "refuted", a="refuted", b="waived", new="proven"), before)
    assert (past.compared, past.accepted) == ("run-1", True)
    assert (past.worse, past.fixed, past.added, past.gone) == (("a",), ("b",), ("new",), ("old",))
    assert [each.claim for each in past.slower] == ["a", "b"]
    assert past.flaky == ()


def test_without_an_accepted_run_the_last_that_came_to_something_counts() -> None:
    before = [line(1, "refuted", a="refuted"), line(2, "blocked", a="blocked")]
    past = history.compare(line(3, a="proven"), before)
    assert (past.compared, past.accepted, past.fixed) == ("run-1", False, ("a",))


@pytest.mark.parametrize(("image", "flaky"), [("same", ("a",)), ("other", ())])
def test_flaky_is_what_changed_on_the_very_same_subject(image: str, flaky: tuple[str, ...]) -> None:
    before = [line(1, "refuted", "same", a="refuted", b="proven")]
    assert history.compare(line(2, "accepted", image, a="proven", b="proven"), before).flaky == flaky


def test_since_when_a_claim_is_not_good() -> None:
    before = [line(1, a="proven"), line(2, "blocked", a="blocked"), line(3, b="proven")]
    since = history.compare(line(4, "refuted", a="refuted"), before).since["a"]
    assert (since.run, since.runs, since.good_before) == ("run-2", 2, "run-1")


def test_a_run_that_was_interrupted_before_a_claims_verdict_says_nothing_of_it() -> None:
    cut = line(2, "unproven", a="unproven", b="refuted").model_copy(update={"interrupted": True})
    past = history.compare(
        line(3, "refuted", a="refuted", b="refuted"), [line(1, a="proven", b="proven"), cut]
    )
    assert (past.since["a"].run, past.since["a"].runs, past.since["a"].good_before) == ("run-3", 1, "run-1")
    assert (past.since["b"].run, past.since["b"].runs) == ("run-2", 2)


def test_another_subject_is_nothing_to_compare_with() -> None:
    other = line(1, a="refuted").model_copy(update={"subject": "till"})
    assert history.compare(line(2, a="proven"), [other]).compared == ""


def test_a_run_is_kept_once_and_a_torn_line_costs_nothing_else(tmp_path: Path) -> None:
    run, _ = sample(tmp_path)
    path = tmp_path / "history.jsonl"
    lines = history.read(path)
    assert lines[-1].run == run.name
    with path.open("a") as file:
        file.write('{"schema": 1, "run": "to')
    assert history.read(path) == lines
    history.keep(path, results.read(run / results.FILE), run)
    assert [each.run for each in history.read(path)] == [each.run for each in lines]


def test_the_sample_says_what_is_worse(tmp_path: Path) -> None:
    run, _ = sample(tmp_path)
    past = history.past_of(run)
    assert past is not None
    assert len(past.worse) == 3 and past.compared
    assert len(past.runs) == 13


def test_what_a_later_version_wrote_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = sample(tmp_path)
    path = tmp_path / "history.jsonl"
    lines = history.read(path)
    later = '{"schema": 2, "run": "of-later", "more": [1, 2]}'
    odd = ('{"run": "a"}', '{"schema": "1"}', '{"schema": true}', "5", "[]", '{"schema": 0}')
    path.write_text("\n".join([later, *odd, path.read_text()]))
    assert history.read(path) == lines
    said = capsys.readouterr().err
    assert "line 1 is of a later boxproof and left out" in " ".join(said.split())
    assert "6 lines, the first 2, are no run and left out" in " ".join(said.split())
    history.keep(path, results.read(run / results.FILE), run)
    kept = path.read_text().splitlines()
    assert kept[0] == later
    assert not set(odd) & set(kept)
    assert history.read(path) == lines
