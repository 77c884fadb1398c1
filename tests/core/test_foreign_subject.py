"""Root carries out nothing of a directory that is not its own, unless it is told to."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from boxproof.cli import main as cli
from boxproof.core import foreign_subject
from boxproof.core.settings import ROOT, Settings
from pytest_claims.faults import UsageError

SOMEBODY = 4321
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture
def subject(tmp_path: Path) -> Path:
    """A subject of ours, in a repository."""
    made = tmp_path / "repository" / "box"
    made.mkdir(parents=True)
    (made.parent / ".git").mkdir()
    (made / "subject.toml").write_text('name = "x"\n')
    return made


def asked(subject: Path, *, trust: bool = False) -> Path:
    return foreign_subject.trusted(replace(Settings(), subject=subject, trust_subject=trust))


def test_a_directory_of_ones_own_is_run(subject: Path) -> None:
    assert asked(subject) == subject
    assert foreign_subject.variables(subject) == {}


@AS_ROOT
@pytest.mark.parametrize("part", [".", "subject.toml", ".."])
def test_what_is_anothers_is_refused_until_it_is_trusted(subject: Path, part: str) -> None:
    os.chown(subject / part, SOMEBODY, SOMEBODY)
    with pytest.raises(UsageError, match=f"belongs to the user {SOMEBODY}.*--trust-subject"):
        asked(subject)
    assert asked(subject, trust=True) == subject
    assert foreign_subject.variables(subject) == {"BOXPROOF_TRUST_SUBJECT": "1"}


@AS_ROOT
@pytest.mark.parametrize("part", [".", "subject.toml", ".."])
def test_what_anyone_may_write_to_is_refused(subject: Path, part: str) -> None:
    path = subject / part
    path.chmod(path.stat().st_mode | 0o002)
    with pytest.raises(UsageError, match="anyone may write to"):
        asked(subject)


@AS_ROOT
def test_a_directory_above_the_repository_does_not_count(subject: Path) -> None:
    subject.parent.parent.chmod(0o777)
    assert asked(subject) == subject


@AS_ROOT
def test_who_called_sudo_is_the_user(subject: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(subject, SOMEBODY, SOMEBODY)
    monkeypatch.setenv("SUDO_UID", str(SOMEBODY))
    assert asked(subject) == subject
    monkeypatch.setenv("SUDO_UID", "x")
    with pytest.raises(UsageError):
        asked(subject)


@AS_ROOT
def test_what_a_check_of_a_run_carries_out_is_the_runs(
    subject: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject.chmod(0o777)
    monkeypatch.setenv("BOXPROOF_SESSION", "/session.json")
    assert asked(subject) == subject


def test_who_is_not_root_may_run_what_he_may_read(subject: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject.chmod(0o777)
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)
    assert asked(subject) == subject


def test_the_harness_own_checkout_was_chosen_already() -> None:
    assert foreign_subject.stranger(ROOT / "examples" / "boxes") == ""


@AS_ROOT
@pytest.mark.parametrize("command", [["e2e", "--stage", "static"], ["sabotage"], ["matrix"]])
def test_the_refusal_is_one_line_and_makes_nothing(
    command: list[str],
    subject: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    os.chown(subject, SOMEBODY, SOMEBODY)
    for name in ("REPORTS", "STATE", "CACHE"):
        monkeypatch.setenv(f"BOXPROOF_{name}", str(tmp_path / "made" / name.lower()))
    assert cli.main([*command, "--subject", str(subject)]) == 2
    told = capsys.readouterr()
    assert "--trust-subject" in told.err
    assert len(told.err.strip().splitlines()) == 1
    assert not (tmp_path / "made").exists()
