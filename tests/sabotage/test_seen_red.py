"""The lock of the checks that were seen red names checks and sabotages there are, in its own form."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.cli import sabotage
from boxproof.core.own_project import OURS
from boxproof.core.settings import ROOT
from boxproof.runs import suite_runner
from boxproof.runs.suite_runner import Listed
from boxproof.subject import model, parts
from pytest_claims import waivers
from pytest_claims.recording import red_lock

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def checks() -> dict[str, Listed]:
    """Every check of the suites."""
    return suite_runner.collected()


def test_our_lock_is_of_checks_and_sabotages_there_are(tmp_path: Path, checks: dict[str, Listed]) -> None:
    lock, known = OURS.red_lock(), OURS.sabotages()
    assert checks, "the suites cannot be collected"
    stale = [name for name, seen in lock.checks.items() if name not in checks or seen.sabotage not in known]
    assert stale == [], "run nox -s sabotage: it renews the lock"
    assert sorted(set(lock.sabotages) - set(known)) == []
    file = OURS.sabotage_dir / red_lock.FILE
    if file.is_file():
        assert file.read_text() == red_lock.write(tmp_path, lock).read_text()


def test_every_check_of_our_box_was_seen_red_as_it_is(checks: dict[str, Listed]) -> None:
    """Claims that are waived apart: what they are waived for cannot be had here.

    Where one is named, `nox -s sabotage -- --claims ID` tries its claim's sabotages.
    """
    about = sabotage.about(checks, parts.absent(model.load(ROOT)))
    waived, lock = set(waivers.load(ROOT, OURS.claims())), OURS.red_lock()
    assert len(about) > len(OURS.claims())
    left = {name: each.claims for name, each in about.items() if not lock.by(name, each.form)}
    assert {name: ids for name, ids in left.items() if not waived & set(ids)} == {}


def test_every_check_has_a_form_and_a_claim(checks: dict[str, Listed]) -> None:
    assert [name for name, each in checks.items() if not each.form or not each.claims] == []
    assert all((ROOT / name.partition("::")[0]).is_file() for name in checks)


def test_the_checks_of_a_claim_are_in_the_files_that_are_run_for_it(checks: dict[str, Listed]) -> None:
    files = {name.partition("::")[0] for name in checks}
    named = {file: set(suite_runner.NAMED.findall((ROOT / file).read_text())) for file in files}
    assert [
        name for name, each in checks.items() if not set(each.claims) <= named[name.partition("::")[0]]
    ] == [], "an id that is put together: write it in its file"
    one = next(claim for each in checks.values() for claim in each.claims)
    run = set(suite_runner.words((one,), ROOT, workers=1))
    assert run & files == {file for file, ids in named.items() if one in ids}
