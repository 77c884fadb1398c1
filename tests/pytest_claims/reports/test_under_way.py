"""While a run goes on: a line for each claim, and a page that says how far it is."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pytest_claims.concurrency import scheduling
from pytest_claims.project import RunContext
from pytest_claims.recording import records
from pytest_claims.reports import placeholder, results
from pytest_claims.reports.under_way import Following
from pytest_claims.verdicts import Verdict
from tests.support.report_samples import sample


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    """A run of two claims whose three checks are collected."""
    _, made = sample(tmp_path)
    run = tmp_path / "run"
    records.save_collected(
        run, {"t.py::a": ["pvc-bound"], "t.py::b": ["pvc-bound"], "t.py::c": ["rbac-no-secrets"]}
    )
    scheduling.write(run, {"t.py::a": 10.0, "t.py::b": 30.0, "t.py::c": 60.0})
    return RunContext(
        run="run", directory=run, project=replace(made, sabotage_dir=tmp_path), waivers=tmp_path, locks=run
    )


def test_a_claim_is_said_once_all_its_checks_have_ended(
    context: RunContext, capsys: pytest.CaptureFixture[str]
) -> None:
    following = Following(context, [], datetime.now(UTC))
    following.ended("t.py::b", Verdict.PROVEN, "")
    assert capsys.readouterr().err == ""
    following.ended("t.py::a", Verdict.REFUTED, "no volume")
    said = capsys.readouterr().err
    assert "1/2 refuted  pvc-bound: no volume (53 s left)" in said
    following.ended("t.py::c", Verdict.PROVEN, "")
    assert "2/2 proven   rbac-no-secrets\n" in capsys.readouterr().err


def test_who_has_heard_of_no_claim_for_a_minute_is_told_how_far_it_is(
    context: RunContext, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    following = Following(context, [], datetime.now(UTC))
    monkeypatch.setattr(time, "monotonic", lambda: 10.0)
    following.ended("t.py::a", Verdict.PROVEN, "")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(time, "monotonic", lambda: 70.0)
    following.ended("t.py::c", Verdict.PROVEN, "")
    assert "checks" not in capsys.readouterr().err, "its claim has ended: the line says so"
    monkeypatch.setattr(time, "monotonic", lambda: 140.0)
    following.ended("t.py::a", Verdict.PROVEN, "")
    assert "2 of 3 checks (" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "told"),
    [('expects = "no volume"', "waived  "), ('expects = "another"', "refuted "), ("", "waived  ")],
)
def test_what_a_waiver_covers_is_said_to_be_waived(
    context: RunContext, capsys: pytest.CaptureFixture[str], more: str, told: str
) -> None:
    day = date.today() + timedelta(days=1)
    (context.waivers / "waivers.toml").write_text(
        f'[[waiver]]\nclaim = "rbac-no-secrets"\nreason = "x"\nowner = "y"\nexpires = {day}\n'
        f"covers_refuted = true\n{more}\n"
    )
    Following(context, [], datetime.now(UTC)).ended("t.py::c", Verdict.REFUTED, "no volume")
    assert f"1/2 {told} rbac-no-secrets: no volume" in capsys.readouterr().err


def test_a_claim_with_a_check_for_a_later_run_is_not_said_to_be_proven(
    context: RunContext, capsys: pytest.CaptureFixture[str]
) -> None:
    records.save_later(context.directory, {"rbac-no-secrets": "not in this stage"})
    Following(context, [], datetime.now(UTC)).ended("t.py::c", Verdict.PROVEN, "")
    assert "unproven rbac-no-secrets: not in this stage" in capsys.readouterr().err


def test_the_page_of_a_run_under_way_waits_for_what_has_not_ended(context: RunContext) -> None:
    following = Following(context, [], datetime.now(UTC), hands=2)
    placeholder.begin(context, started=following.started, latest=False)
    before = (context.directory / results.FILE).read_text()
    following.ended("t.py::a", Verdict.PROVEN, "")
    following.write_page(records.collected(context.directory))
    text = (context.directory / "index.html").read_text()
    assert "1 of 3 checks done, about 59 s left" in text
    assert 'data-verdict="waiting"' in text and "What is not proven" in text
    assert (context.directory / results.FILE).read_text() == before, "until the end it says blocked"


@pytest.mark.parametrize(
    ("beside", "first", "took", "left"),
    [
        (0.0, 540.0, 480.0, 60.0),
        (0.0, 540.0, 1260.0, 120.0),
        (120.0, 780.0, 600.0, 180.0),
        (120.0, 780.0, 1500.0, 360.0),
    ],
)
def test_the_time_left_follows_how_slow_this_run_is(
    context: RunContext,
    monkeypatch: pytest.MonkeyPatch,
    beside: float,
    first: float,
    took: float,
    left: float,
) -> None:
    """Of two checks that took 480 s and 60 s earlier, and ``beside`` that what each costs a worker."""
    scheduling.write(context.directory, {"t.py::a": 480.0, "t.py::c": 60.0, scheduling.OVERHEAD: beside})
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    following = Following(context, [], datetime.now(UTC))
    assert following.left({"t.py::a": (), "t.py::c": ()}) == first
    monkeypatch.setattr(time, "monotonic", lambda: took)
    following.found["t.py::a"] = Verdict.PROVEN, ""
    assert following.left({"t.py::a": (), "t.py::c": ()}) == left


def test_of_many_short_checks_the_time_left_is_what_they_cost_beside_their_own() -> None:
    """The long ones come first: by their pace the rest would seem to be done at once."""
    seconds = {f"t.py::{each}": 1.0 for each in range(100)}
    assert scheduling.left(list(seconds), {**seconds, scheduling.OVERHEAD: 4.0}, 2) == 250.0


def test_what_a_run_spends_beside_its_checks_is_kept_for_the_next(
    context: RunContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduling.write(context.directory, {"t.py::a": 480.0, "t.py::c": 120.0})
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    following = Following(context, [], datetime.now(UTC), hands=2)
    monkeypatch.setattr(time, "monotonic", lambda: 600.0)
    following.found["t.py::c"] = Verdict.PROVEN, ""
    following.end()
    scheduling.learn_overhead(context.directory, tmp_path)
    assert scheduling.read(tmp_path) == {}, "of one minute nothing is told"
    following.found["t.py::a"] = Verdict.PROVEN, ""
    following.end()
    scheduling.learn_overhead(context.directory, tmp_path)
    assert scheduling.read(tmp_path) == {scheduling.OVERHEAD: 300.0}


def test_the_time_left_is_not_guessed_from_few() -> None:
    assert scheduling.left(["a", "b", "c"], {"a": 1.0}, 2) is None
    assert scheduling.left(["a", "b"], {"a": 10.0, "b": 20.0}, 1) == 30.0
    assert scheduling.left(["a", "b", "c"], {"a": 10.0, "b": 20.0}, 3) == 20.0
    assert scheduling.left([], {}, 1) == 0.0
