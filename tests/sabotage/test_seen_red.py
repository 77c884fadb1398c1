"""The lock of the checks that were seen red names checks and sabotages there are, in its own form."""

from __future__ import annotations

from pathlib import Path

from boxproof.core.own_project import OURS
from boxproof.core.settings import ROOT
from boxproof.runs import suite_runner
from pytest_claims.seen_red import red_lock


def test_our_lock_is_of_checks_and_sabotages_there_are(tmp_path: Path) -> None:
    lock, checks, known = OURS.red_lock(), suite_runner.collected(), OURS.sabotages()
    assert checks, "the suites cannot be collected"
    stale = [name for name, seen in lock.checks.items() if name not in checks or seen.sabotage not in known]
    assert stale == [], "run nox -s sabotage: it renews the lock"
    assert sorted(set(lock.sabotages) - set(known)) == []
    file = OURS.sabotage_dir / red_lock.FILE
    if file.is_file():
        assert file.read_text() == red_lock.write(tmp_path, lock).read_text()


def test_every_check_has_a_form_and_a_claim() -> None:
    found = suite_runner.collected()
    assert [name for name, each in found.items() if not each.form or not each.claims] == []
    assert all((ROOT / name.partition("::")[0]).is_file() for name in found)
