"""What took longest starts first, in one process and in several."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from boxproof.core.own_project import OURS
from boxproof.core.settings import ROOT
from pytest_claims.concurrency import scheduling

CHECKS = "".join(
    f"""
{mark}
@claim("pvc-bound")
def test_{name}():
    pass
"""
    for name, mark in [("quick", ""), ("alone", '@pytest.mark.scope("cluster")'), ("slow", ""), ("new", "")]
)


def handed_out(count: int, workers: int) -> list[list[int]]:
    """Return what xdist's worksteal gives each worker at the start: runs of ``count`` items."""
    pending, runs = list(range(count)), []
    for left in range(workers, 0, -1):
        size = len(pending) // left
        runs.append(pending[:size])
        del pending[:size]
    return runs


@given(count=st.integers(0, 200), workers=st.integers(1, 9))
def test_every_worker_starts_with_one_of_the_slowest(count: int, workers: int) -> None:
    dealt = scheduling.dealt(range(count), workers)
    assert sorted(dealt) == list(range(count))
    runs = [[dealt[place] for place in places] for places in handed_out(count, workers)]
    assert all(run == sorted(run) for run in runs)
    assert {run[0] for run in runs if run} == set(range(min(count, workers)))


def test_the_first_of_every_group_comes_before_the_second_of_any() -> None:
    items = ["a/1", "a/2", "b/1", "a/3", "b/2", "c/1"]
    found = scheduling.in_turn(items, lambda each: each.partition("/")[0])
    assert found == ["a/1", "b/1", "c/1", "a/2", "b/2", "a/3"]


def test_what_is_not_known_leads() -> None:
    assert scheduling.slowest_first(["a", "b", "new", "c"], str, {"a": 1, "b": 3, "c": 2}) == [
        "new",
        "b",
        "c",
        "a",
    ]


def test_what_is_learnt_adds_up_and_a_broken_file_is_no_fault(tmp_path: Path) -> None:
    assert scheduling.read(tmp_path / "none") == {}
    scheduling.learn(tmp_path / "state", {"a": 1.5, "b": 2})
    scheduling.learn(tmp_path / "state", {"b": 3})
    assert scheduling.read(tmp_path / "state") == {"a": 1.5, "b": 3}
    assert [each.name for each in (tmp_path / "state").iterdir()] == [scheduling.FILE]
    odd = ("null", '"x"', "[1]", "9" * 400, "1e999", "-1", "1e308", "NaN")
    for text in ("{", "[]", "[" * 5000, *(f'{{"a": {each}}}' for each in odd)):
        (tmp_path / scheduling.FILE).write_text(text)
        assert scheduling.read(tmp_path) == {}


def test_a_machine_that_ran_none_yet_knows_what_the_suites_come_with(tmp_path: Path) -> None:
    assert scheduling.known(tmp_path / "state", tmp_path / "suites") == {}
    scheduling.write(tmp_path / "suites", {"a": 4, "b": 300})
    assert scheduling.known(tmp_path / "state", tmp_path / "suites") == {"a": 4, "b": 300}
    scheduling.learn(tmp_path / "state", {"a": 5})
    assert scheduling.known(tmp_path / "state", tmp_path / "suites") == {"a": 5, "b": 300}


def test_the_suites_come_with_the_seconds_of_their_own_checks() -> None:
    known = OURS.claims()
    for name in scheduling.read(OURS.durations_dir).keys() - {scheduling.OVERHEAD}:
        file, _, check = name.partition("::")
        assert name in known or f"def {check.split('[')[0]}(" in (ROOT / file).read_text()


def ran(output: str) -> list[str]:
    return re.findall(r"::test_(\w+) ", output)


def test_checks_run_in_that_order_and_those_alone_come_last(
    suite: Callable[..., Any], run_directory: Path
) -> None:
    assert ran(suite(CHECKS, "-v").output) == ["quick", "alone", "slow", "new"]
    names = {"quick": 0.1, "alone": 9.0, "slow": 5.0}
    scheduling.write(run_directory, {f"test_suite.py::test_{name}": value for name, value in names.items()})
    assert ran(suite(CHECKS, "-v").output) == ["new", "slow", "quick", "alone"]
