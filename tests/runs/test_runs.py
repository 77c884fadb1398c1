"""A run writes its results whatever happens; wrong usage leaves nothing behind."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest

from boxproof.cli import e2e, sabotage
from boxproof.core.process import run
from boxproof.core.settings import ROOT, Settings
from boxproof.runs import bringup, run_life, suite_runner
from pytest_claims.faults import EnvironmentFault, SubjectFault, UsageError
from pytest_claims.reports import kill_table
from pytest_claims.reports.schema import SabotageResult
from pytest_claims.sabotages import Sabotage
from pytest_claims.verdicts import Verdict
from pytest_claims.waiting import until


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose every directory is below ``tmp_path``."""
    return Settings(
        subject=ROOT,
        claims=("pvc-bound", "image-user-nonroot"),
        reports=tmp_path / "reports",
        cache=tmp_path / "cache",
        state=tmp_path / "state",
    )


def fail(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Have the bring-up end in ``error``."""

    def end(*_: object) -> None:
        raise error

    monkeypatch.setattr(bringup, "session", end)


@pytest.mark.parametrize(
    ("error", "verdict", "code"),
    [
        (EnvironmentFault("the engine is dead"), "blocked", 3),
        (SubjectFault("the image does not build"), "refuted", 1),
        (KeyError("a defect of ours"), "blocked", 3),
        (OSError(errno.ENOSPC, "No space left on device", "file"), "blocked", 3),
        (KeyboardInterrupt(), "unproven", 130),
    ],
)
def test_what_ends_a_bring_up_is_in_the_results(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, error: BaseException, verdict: str, code: int
) -> None:
    fail(monkeypatch, error)

    assert e2e.main(settings) == code

    found = json.loads((settings.reports / "latest" / "results.json").read_text())
    assert found["verdict"] == verdict
    assert found["interrupted"] is (code == 130)
    assert {each["verdict"] for each in found["claims"]} == {verdict}
    assert (settings.reports / "latest" / "index.html").is_file()
    assert list((settings.state / "runs").glob("*.json")) == []


def test_wrong_usage_found_late_leaves_no_report(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(monkeypatch, UsageError("found while collecting"))

    with pytest.raises(UsageError):
        e2e.main(settings)

    assert list(settings.reports.iterdir()) == []


def test_reports_that_cannot_be_written_are_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("in the way")

    with pytest.raises(EnvironmentFault, match="cannot write reports"):
        run_life.begin(Settings(reports=tmp_path / "reports", state=tmp_path / "state"), "box")


def test_a_full_disk_is_one_line_with_the_next_step() -> None:
    with pytest.raises(EnvironmentFault) as found:
        run(["sh", "-c", "echo 'tar: x: No space left on device' >&2; exit 2"], timeout=10)
    assert "\n" not in str(found.value)
    assert "BOXPROOF_STATE" in found.value.hint


def test_an_interrupt_leaves_every_sabotage_that_had_ended_with_what_it_showed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = replace(settings, claims=("sigterm-graceful-5s", "grace-period-60"))
    first, *others = sabotage.select(asked)
    ended: list[str] = []

    def row(each: Sabotage, verdict: Verdict, killed: bool) -> SabotageResult:
        ended.append(each.id)
        return kill_table.failed(each, Verdict.PROVEN, "told").model_copy(
            update={"verdict": verdict, "killed": killed}
        )

    def attempt(_run: object, each: Sabotage, *_: object) -> SabotageResult:
        if each.id != first.id:
            survives = each.id == others[-1].id
            return row(each, Verdict.PROVEN if survives else Verdict.REFUTED, not survives)
        until(lambda: len(ended) == len(others), timeout=20, what="all others")
        row(each, Verdict.BLOCKED, False)
        raise KeyboardInterrupt

    monkeypatch.setattr(bringup, "session", lambda *_: None)
    monkeypatch.setattr(bringup, "tidy", lambda *_: None)
    monkeypatch.setattr(bringup, "canary_of", lambda *_: None)
    monkeypatch.setattr(sabotage, "baseline", lambda run, _: (e2e.collect(run), run.directory))
    monkeypatch.setattr(sabotage, "attempt", attempt)
    monkeypatch.setattr(suite_runner, "collected", dict)  # none was seen red: each is tried

    assert sabotage.main(asked) == 130

    (found,) = settings.reports.glob("2*/sabotage.json")
    told = {
        each["id"]: (each["killed"], each["reason"]) for each in json.loads(found.read_text())["sabotages"]
    }
    assert told == {
        **{each.id: (True, "told") for each in others},
        others[-1].id: (False, "told"),
        first.id: (False, "interrupted"),
    }
