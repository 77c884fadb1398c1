"""Which measures are taken, in what order, and what one that fails leaves of the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from boxproof.bench.bench_session import Bench, spread
from boxproof.cli import bench, main, options
from boxproof.core.settings import ROOT, Settings
from boxproof.reports.bench_results import Measure
from pytest_claims.faults import EnvironmentFault, UsageError


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    cache, state = tmp_path / "cache", tmp_path / "state"
    return Settings(subject=ROOT, reports=tmp_path / "reports", cache=cache, state=state)


def taking(*ways: Callable[[], float]) -> Callable[[Bench], list[Measure]]:
    def measure(made: Bench) -> list[Measure]:
        theirs, ours = made.turns(*ways)
        return [Measure(name="one", baseline="two", baseline_seconds=theirs, seconds=ours)]

    return measure


def broken(_: Bench) -> list[Measure]:
    raise EnvironmentFault("no cluster")


def test_an_unknown_measure_is_wrong_usage_and_names_the_nearest(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="did you mean 'load-cold'"):
        bench.main(settings, only=["load-colt"])
    assert not settings.reports.exists()
    assert main.main(["bench", "--only", "load-colt"]) == 2
    assert main.main(["bench", "--runs", "0"]) == 2
    assert main.main(["bench", "--onyl", "x"]) == 2
    assert "did you mean '--only'" in capsys.readouterr().err


def test_measures_are_taken_in_one_order() -> None:
    assert bench.checked([]) == list(bench.MEASURES)
    assert bench.checked(["cluster-start,e2e-warm"]) == [
        "e2e-warm",
        "cluster-start",
    ]


def test_ways_take_turns(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []

    def way(name: str, seconds: float) -> float:
        taken.append(name)
        return seconds

    ways = [partial(way, "theirs", 4.0), partial(way, "ours", 2.0)]
    monkeypatch.setattr(bench, "MEASURES", {"one": taking(*ways)})
    assert bench.main(settings, runs="2") == 0
    assert taken == ["theirs", "ours", "theirs", "ours"]
    found = json.loads((settings.reports / "bench" / "bench.json").read_text())
    assert found["measures"][0]["ratio"] == 2
    assert (settings.reports / "bench" / "index.html").is_file()


def test_what_cannot_be_measured_blocks_and_keeps_the_rest(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "MEASURES", {"broken": broken, "one": taking(lambda: 1.0, lambda: 1.0)})
    assert bench.main(settings) == 3
    found = json.loads((settings.reports / "bench" / "bench.json").read_text())
    assert found["failed"] == {"broken": "no cluster"}
    assert [each["name"] for each in found["measures"]] == ["one"]


def test_a_session_that_does_not_come_is_not_tried_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def end(*_: object) -> None:
        tried.append(1)
        raise EnvironmentFault("no engine")

    monkeypatch.setattr("boxproof.runs.bringup.session", end)
    assert bench.main(settings, only=["load-unchanged", "load-cold"]) == 3
    assert len(tried) == 1


def test_a_spread_sample() -> None:
    assert spread(list("abcdef"), 3) == ["a", "c", "e"]
    assert spread(["a"], 3) == ["a"]


def test_the_help_names_every_measure() -> None:
    assert tuple(bench.MEASURES) == options.MEASURES


@pytest.mark.parametrize("command", options.COMMANDS)
def test_the_usage_is_as_it_is_called(command: str) -> None:
    told = options.parser(command, "").format_help()
    assert told.startswith(f"usage: boxproof {command} ")
    assert (f"nox -s {command} -- OPTIONS" in told) is (command not in options.ALONE)
