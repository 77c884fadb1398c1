"""Old reports go, by number and age; the latest, the last accepted and those under way stay."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from boxproof.core.settings import Settings
from boxproof.runs import ownership, run_life
from pytest_claims.faults import EnvironmentFault
from pytest_claims.reports import history, results
from tests.support.report_samples import STARTED, sample

NOW = STARTED + timedelta(days=9)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A reports directory with an accepted run of day 0 and nine refuted ones after it, one a day."""
    made = Settings(reports=tmp_path / "reports", state=tmp_path / "state", reports_kept=4, reports_days=6)
    accepted, _ = sample(tmp_path / "sample", refuted=0, number=12)
    shutil.copytree(accepted, made.reports / accepted.name)
    found = results.read(accepted / results.FILE)
    for day in range(1, 10):
        name = f"{STARTED + timedelta(days=day):%Y%m%dT%H%M%S}"
        (made.reports / name).mkdir()
        later = found.model_copy(update={"run": name, "verdict": "refuted"})
        results.write(made.reports / name / results.FILE, later)
    (made.reports / "bench").mkdir()
    results.point_latest(made.reports / name)
    return made


def names(settings: Settings) -> list[str]:
    """What is left of June's runs, as days; everything else by name."""
    return sorted(
        each.name[6:8] if each.name[:4] == "2026" else each.name for each in settings.reports.iterdir()
    )


def test_a_directory_in_the_place_of_the_link_is_told_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    with pytest.raises(EnvironmentFault, match="is a directory, not our link"):
        run_life.new_directory(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["latest"]


@pytest.mark.parametrize("state", ["file/state", "x" * 300])
def test_a_state_that_cannot_be_written_leaves_no_report(tmp_path: Path, state: str) -> None:
    (tmp_path / "file").write_text("")
    made = Settings(reports=tmp_path / "reports", state=tmp_path / state)
    with pytest.raises(EnvironmentFault):
        run_life.begin(made, "x")
    assert not made.reports.exists()


def test_by_number_but_never_the_last_accepted(settings: Settings) -> None:
    assert len(run_life.prune_directories(settings, NOW)) == 5
    assert names(settings) == ["01", "07", "08", "09", "10", "bench", "latest"]


def test_by_age_but_never_the_latest(settings: Settings) -> None:
    run_life.prune_directories(settings, NOW + timedelta(days=100))
    assert names(settings) == ["01", "10", "bench", "latest"]


@pytest.mark.parametrize(
    "name",
    [
        "20269999T999999", "00000101T000000", "20260230T120000", "20260101T240000", "٢٠٢٦٠١٠١T٠٠٠٠٠٠",
        "20260101T000000-abcdeg", "20260101T000000 ", "20260101", "notes.txt",
    ],
)  # fmt: skip
def test_what_no_run_is_called_stays(settings: Settings, name: str) -> None:
    (settings.reports / name).mkdir()
    run_life.prune_directories(settings, NOW + timedelta(days=100))
    assert (settings.reports / name).is_dir()
    assert "02" not in names(settings)


@pytest.mark.parametrize("put", [Path.touch, os.mkfifo, lambda path: path.symlink_to("bench")])
def test_what_is_no_directory_stays(settings: Settings, put: Callable[[Path], None]) -> None:
    put(settings.reports / "20260101T000000")
    run_life.prune_directories(settings, NOW + timedelta(days=100))
    assert os.path.lexists(settings.reports / "20260101T000000")


def test_a_run_under_way_stays(settings: Settings) -> None:
    ownership.claim_run(settings, "20260602T120000")
    run_life.prune_directories(settings, NOW + timedelta(days=100))
    assert names(settings) == ["01", "02", "10", "bench", "latest"]


def test_the_history_knows_an_accepted_run_too(settings: Settings, tmp_path: Path) -> None:
    shutil.rmtree(settings.reports / "20260601T120000")
    line = history.line(results.read(settings.reports / "20260603T120000" / results.FILE))
    settings.state.mkdir()
    text = line.model_copy(update={"verdict": "accepted"}).model_dump_json(by_alias=True)
    (settings.state / history.LINES).write_text(f"{text}\n")
    run_life.prune_directories(settings, NOW + timedelta(days=100))
    assert names(settings) == ["03", "10", "bench", "latest"]


def test_two_reports_of_one_second_have_directories_of_their_own(tmp_path: Path) -> None:
    first, second = (run_life.new_directory(tmp_path / "reports", NOW) for _ in range(2))
    assert first != second
    assert second.name.startswith(f"{first.name}-")
    assert all(run_life.NAME.fullmatch(each.name) and each.is_dir() for each in (first, second))


def test_a_report_that_shares_its_place_always_has_a_name_of_its_own(tmp_path: Path) -> None:
    assert "-" in run_life.new_directory(tmp_path, NOW, shared=True).name


def test_runs_of_one_second_that_share_their_state_alone_have_names_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "under_way", lambda _, run: 0 if "-" in run else 7)
    run = run_life.begin(Settings(reports=tmp_path / "reports", state=tmp_path / "state"), "x")
    run.held.close()
    assert "-" in run.directory.name and run.directory.is_dir()


def test_where_no_report_can_be_written_one_line_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFault, match="cannot write reports"):
        run_life.new_directory(tmp_path / "file" / "reports", NOW)
