"""A run spread over machines: each claim in one shard, and the shards joined to one report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from boxproof.cli import e2e, shards
from boxproof.core.own_project import OURS
from boxproof.core.settings import Settings
from pytest_claims.concurrency import scheduling
from pytest_claims.faults import ExitCode, UsageError
from pytest_claims.reports import pages, results
from pytest_claims.reports.schema import KeyPart
from tests.support.report_samples import sample


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose reports go nowhere else."""
    return Settings(reports=tmp_path / "reports", state=tmp_path / "state", cache=tmp_path / "cache")


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/65", "a/3", "3", "1/", "/2", "-1/2", "1/2/3", "²/3"])
def test_what_is_no_shard_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="--shard") as raised:
        shards.parse(text)
    assert "for example 1/3" in raised.value.hint


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_every_claim_is_in_one_shard(settings: Settings, of: int) -> None:
    found = [
        each for number in range(1, of + 1) for each in shards.of_claims(settings, f"{number}/{of}").claims
    ]
    assert sorted(found) == sorted(OURS.select(()))


def test_the_shards_take_alike(settings: Settings) -> None:
    usual = scheduling.read(OURS.durations_dir)
    found = [shards.of_claims(settings, f"{number}/3").claims for number in (1, 2, 3)]
    loads = [sum(usual.get(each, shards.UNKNOWN) for each in many) for many in found]
    longest = max(usual.get(each, shards.UNKNOWN) for many in found for each in many)
    assert max(loads) - min(loads) <= longest


def test_what_a_machine_has_learned_moves_nothing(settings: Settings) -> None:
    before = shards.of_claims(settings, "1/2").claims
    scheduling.write(settings.state, dict.fromkeys(before, 9999.0))
    assert shards.of_claims(settings, "1/2").claims == before


def test_the_sabotages_of_a_claim_stay_together(settings: Settings) -> None:
    found = [set(shards.of_sabotages(settings, f"{number}/2").claims) for number in (1, 2)]
    assert not found[0] & found[1]
    assert found[0] | found[1] == {each.claim for each in OURS.sabotages().values()}


def test_a_shard_without_a_claim_is_refused(settings: Settings) -> None:
    one = Settings(claims=("pvc-bound",), reports=settings.reports)
    with pytest.raises(UsageError, match="1 claims have no such part"):
        shards.of_claims(one, "2/2")


def test_a_directory_without_a_report_is_named(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"--merge {tmp_path}: no {results.FILE}"):
        e2e.main(settings, merge=[tmp_path])
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / results.FILE).write_text(json.dumps({"schema": 1}))
    with pytest.raises(UsageError, match="cannot be read"):
        e2e.main(settings, merge=[tmp_path])
    assert not settings.reports.exists()


@pytest.fixture
def tried(tmp_path: Path) -> Path:
    """A run that came to an end, with a kill table."""
    found, _ = sample(tmp_path / "sample", refuted=0, waived=0, number=12)
    whole = results.read(found / results.FILE)
    key = KeyPart(subject="1" * 16, harness="2" * 16, cell="3" * 16)
    results.write(found / results.FILE, whole.model_copy(update={"key": key}))
    return found


@pytest.mark.parametrize(
    ("changed", "of_e2e", "of_sabotage"),
    [
        ({}, ExitCode.ACCEPTED, ExitCode.ACCEPTED),
        ({"interrupted": True}, ExitCode.INTERRUPTED, ExitCode.INTERRUPTED),
        ({"verdict": "blocked", "fault": "no engine"}, ExitCode.BLOCKED, ExitCode.ACCEPTED),
    ],
    ids=["ended", "interrupted", "blocked"],
)
def test_what_kept_a_part_from_its_end_is_not_lost_where_it_has_a_kill_table(
    settings: Settings, tried: Path, changed: dict[str, object], of_e2e: ExitCode, of_sabotage: ExitCode
) -> None:
    results.write(tried / results.FILE, results.read(tried / results.FILE).model_copy(update=changed))
    assert e2e.main(settings, merge=[tried]) == of_e2e
    assert shards.merge(settings, [tried], tables=True) == of_sabotage


def test_the_same_part_twice_is_one_and_a_copy_of_it_is_refused(
    settings: Settings, tried: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tried)
    assert e2e.main(settings, merge=[tried, tried, tmp_path / "link"]) == ExitCode.ACCEPTED
    shutil.copytree(tried, tmp_path / "copy")
    before = sorted(settings.reports.iterdir())
    with pytest.raises(UsageError, match=r"claim [a-z0-9-]+ is in two of the reports"):
        e2e.main(settings, merge=[tried, tmp_path / "copy"])
    assert sorted(settings.reports.iterdir()) == before


def test_the_copies_of_results_in_a_report_are_no_reports(settings: Settings, tmp_path: Path) -> None:
    found, project = sample(tmp_path / "sample", refuted=0, number=12)
    whole = results.read(found / results.FILE)
    results.write(
        found / results.FILE,
        whole.model_copy(update={"key": KeyPart(subject="1" * 16, harness="2" * 16, cell="3" * 16)}),
    )
    pages.write(found, project)
    assert len(list(found.rglob(results.FILE))) > 1
    assert e2e.main(settings, merge=[found.parent]) == 0
