"""The end of `boxproof doctor`: what a run uses, builds and takes here, and what will not work."""

from __future__ import annotations

import pytest

from boxproof.cli import doctor
from boxproof.core.settings import ROOT, Settings
from boxproof.host import machine
from boxproof.host.survey import Need, Survey
from boxproof.runs import inputs
from boxproof.subject import model

SUBJECT = model.load(ROOT)
ENGINE = Need(name="Docker Engine", found="28 at unix:///x", way="the user's")


def told(
    monkeypatch: pytest.MonkeyPatch, wanted: inputs.Wanted, *needs: Need, cpus: int = 2, free: float = 100.0
) -> list[str]:
    monkeypatch.setattr(inputs, "wanted", lambda *_: wanted)
    monkeypatch.setattr(machine, "cpus", lambda: cpus)
    monkeypatch.setattr(machine, "free_disk", lambda _: free)
    survey = Survey(ready=True, needs=(ENGINE, *needs))
    return list(doctor.first_run(Settings(), SUBJECT, survey).lines())


def everything() -> inputs.Wanted:
    return inputs.Wanted(inputs.every_recipe(Settings(), SUBJECT), [], {"bookworm": {"a", "b"}})


def test_a_machine_with_all_of_it_builds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = told(monkeypatch, inputs.Wanted())
    assert lines[0] == "uses: Docker Engine: the user's"
    assert "nothing, all of it is in the cache" in lines[1]
    assert lines[-1] == "nothing is known that will not work"


def test_a_bare_machine_takes_longer_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    warm, bare = (told(monkeypatch, each)[2].split() for each in (inputs.Wanted(), everything()))
    slow = told(monkeypatch, everything(), cpus=1)[2].split()
    assert int(warm[1]) < int(bare[1]) < int(slow[1])
    assert int(bare[6]) > int(warm[6])


def test_a_disk_that_a_run_would_fill_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "21 GiB are free" in told(monkeypatch, everything(), free=21)[-1]
    assert told(monkeypatch, inputs.Wanted(), free=21)[-1] == "nothing is known that will not work"
    full = Need(name="disk", found="2 GiB free", missing="20 GiB are needed")
    assert [each for each in told(monkeypatch, everything(), full, free=2) if "GiB are free" in each] == []


def test_what_is_missing_is_said_by_what_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    few = Need(name="inotify", found="128", missing="512 are better", mend="sysctl x", required=False)
    away = Need(name=inputs.MODULES, found="?", missing="no answer", required=False)
    lines = told(monkeypatch, inputs.Wanted(), few, away)
    assert lines[-1] == "will not work: more than two clusters at a time (inotify: 512 are better; sysctl x)"
    assert "compiled here" in told(monkeypatch, everything(), away)[-1]
    low = Need(name="memory", found="1 GiB", missing="6 GiB are needed")
    assert "any run (memory: " in told(monkeypatch, inputs.Wanted(), low)[-1]
