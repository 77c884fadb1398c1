"""Steps by hand: bad input is one line, and what one cluster keeps is not taken down with another."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.core.session import EngineInfo, Session
from boxproof.core.settings import ROOT, Settings
from boxproof.runs import manual, ownership, sweeping
from boxproof.runs.ownership import RunRecord, Swept
from boxproof.tasks import runbooks, task_steps
from pytest_claims.faults import UsageError
from tests.support.cluster_fixtures import FakeEngine


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings below ``tmp_path``, in the environment too."""
    for name in ("STATE", "CACHE", "REPORTS"):
        monkeypatch.setenv(f"BOXPROOF_{name}", str(tmp_path / name.lower()))
    monkeypatch.setenv("BOXPROOF_CLUSTER", "mine")
    return Settings.load()


@pytest.fixture
def engine(tmp_path: Path) -> FakeEngine:
    """An engine without nodes."""
    return FakeEngine(tmp_path / "engine")


@pytest.mark.parametrize(
    ("suffix", "timeout", "said"),
    [
        ("Not_A_Name", "", "--suffix='Not_A_Name'"),
        ("", "soon", "--timeout='soon'"),
        ("", "0", "--timeout='0'"),
    ],
)
def test_an_unusable_option_is_wrong_usage_and_makes_nothing(
    settings: Settings, suffix: str, timeout: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        task_steps.deploy(suffix, timeout)
    assert not settings.state.exists()


@pytest.mark.parametrize("name", ["Upper", "a/b", "-x", "x" * 41])
def test_a_name_kind_does_not_take_is_wrong_usage(name: str) -> None:
    with pytest.raises(UsageError, match="--cluster="):
        Settings.load({"cluster": name})


def test_without_a_cluster_the_others_are_named(settings: Settings) -> None:
    other = settings.state / "clusters" / "other"
    other.mkdir(parents=True)
    (other / "cluster.json").write_text("{}")
    with pytest.raises(UsageError, match=r"no cluster 'mine'.*there are: other"):
        runbooks.kubectl("version")


def test_a_command_without_words_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="no command to run"):
        runbooks.execute([])


def test_a_token_file_that_is_not_there_is_wrong_usage(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--file="):
        runbooks.rotate_token(str(tmp_path / "none"), "")


def keep(settings: Settings, run: str, cluster: str) -> None:
    """Write the record of a run that ended and kept what it has in ``cluster``."""
    ownership._write(settings, RunRecord(run=run, kept=True, cluster=cluster))


def test_taking_a_cluster_down_leaves_what_is_kept_in_another(
    settings: Settings, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleared: list[str] = []

    def clear(_: EngineInfo, record: RunRecord, __: Swept) -> None:
        cleared.append(record.run)

    monkeypatch.setattr(sweeping, "clear", clear)
    for run, cluster in (("hand-mine", "mine"), ("kept", "mine"), ("hand-other", "other")):
        keep(settings, run, cluster)
        (settings.state / "hand" / cluster).mkdir(parents=True, exist_ok=True)

    manual.taken_down(settings, engine.info)

    assert sorted(cleared) == ["hand-mine", "kept"]
    assert [each.run for each in ownership.runs(settings)] == ["hand-other"]
    assert [each.name for each in (settings.state / "hand").iterdir()] == ["other"]


def test_a_step_that_a_check_starts_is_a_guest_and_claims_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(
        run="20300101T000000", directory=str(tmp_path), subject="/elsewhere", cache="", state=""
    )
    monkeypatch.setenv("BOXPROOF_SESSION", str(session.save(tmp_path / "session.json")))
    with manual.by_hand() as run:
        assert run.guest
        assert run.session.run == session.run
        assert run.session.subject == str(ROOT)
    assert ownership.runs(settings) == []
