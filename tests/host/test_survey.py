"""The survey: in time whatever happens, complete, and creating nothing."""

from __future__ import annotations

import io
import json
import os
import threading
from pathlib import Path

import pytest
from rich.console import Console

from boxproof.core.settings import Settings
from boxproof.host import machine, survey
from boxproof.host.fetch import registries
from boxproof.host.survey import Need, Survey
from pytest_claims.faults import EnvironmentFault


def test_a_survey_is_given_two_seconds_and_creates_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registries, "answers", lambda *_, **__: "not asked in a unit test")
    settings = Settings(cache=tmp_path / "cache", state=tmp_path / "state")
    found = survey.survey(settings)
    assert survey.SURVEY_DEADLINE <= 2
    assert len(found.needs) == len({need.name for need in found.needs}) == 17
    assert not list(tmp_path.iterdir())
    assert json.loads(found.model_dump_json())["needs"][0]["name"] == "Python"


def test_an_answer_that_does_not_come_is_noted_as_such() -> None:
    never = threading.Event()

    def slow() -> Need:
        never.wait(30)
        return Need(name="slow", found="late")

    def broken() -> Need:
        raise EnvironmentFault("no such thing")

    quick = Need(name="quick", found="yes")
    questions = {"slow": slow, "broken": broken, "quick": lambda: quick}
    answers = survey.ask_all(questions, within=0.2)
    never.set()
    assert [need.missing for need in answers] == ["no answer in time", "no such thing", ""]
    assert answers[2] == quick


def test_a_cache_that_cannot_be_made_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registries, "answers", lambda *_, **__: "not asked in a unit test")
    (tmp_path / "file").write_text("")
    found = survey.survey(Settings(cache=tmp_path / "file/cache", state=tmp_path / "state"))
    disk = next(each for each in found.needs if each.name == "disk")
    assert not found.ready
    assert "nobody may write there" in disk.missing
    assert "BOXPROOF_CACHE" in disk.mend


@pytest.mark.skipif(os.geteuid() != 0, reason="only root leaves files in the home of another")
def test_a_home_of_somebody_else_is_said_to_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registries, "answers", lambda *_, **__: "not asked in a unit test")
    os.chown(tmp_path, 54321, 54321)
    found = survey.survey(Settings(cache=tmp_path / "cache", state=tmp_path / "state"))
    disk = next(each for each in found.needs if each.name == "disk")
    assert "uid 54321" in disk.missing
    assert "sudo -H" in disk.mend


def test_only_a_required_need_hinders() -> None:
    note = Need(name="a", found="", missing="x", mend="do y", required=False)
    shown = Survey(ready=True, needs=(note, Need(name="b", found="1")))
    assert [row[0] for row in shown.rows()] == ["note", "ok"]
    assert shown.rows()[0][4] == "x: do y"


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_survey_is_cut_between_words_only(width: int) -> None:
    lacking = "there is too little of what the three nodes of the cluster and the images need"
    need = Need(name="needed", found="unconvincingly little", missing=lacking, mend="do y")
    with io.StringIO() as file:
        survey.show(Survey(ready=False, needs=(need,)), Console(width=width, file=file))
        text = file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert set(f"MISSING unconvincingly little {lacking}: do y".split()) <= set(text.split())


def test_the_registry_asked_for_is_the_one_asked() -> None:
    assert (
        registries.registry_url(Settings(registry="reg.example:5000/mirror"), "")
        == "https://reg.example:5000/v2/"
    )
    assert registries.registry_url(Settings(), "") == ""


def test_no_answer_is_said_in_a_line() -> None:
    assert "\n" not in registries.answers("http://127.0.0.1:1/")
    assert registries.answers("http://127.0.0.1:1/")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("cpuacct/docker/{}/cpuacct.usage", "1500000000\n"),
        ("docker/{}/cpu.stat", "usage_usec 1500000\nuser_usec 1\n"),
        ("system.slice/docker-{}.scope/cpu.stat", "usage_usec 1500000\n"),
    ],
)
def test_what_containers_used_is_read_from_either_version(tmp_path: Path, path: str, text: str) -> None:
    for each in ("a1", "b2"):
        file = tmp_path / path.format(each)
        file.parent.mkdir(parents=True)
        file.write_text(text)

    assert machine.container_seconds(["a1", "b2"], tmp_path) == 3
    assert machine.container_seconds(["a1", "gone"], tmp_path) is None
    assert machine.container_seconds([], tmp_path) is None


def test_facts_of_the_machine_are_plausible(tmp_path: Path) -> None:
    total, free = machine.memory()
    assert machine.cpus() >= 1
    assert total >= free > 0
    assert machine.free_disk(tmp_path / "not" / "there") > 0
    assert machine.kernel_features("NO_SUCH_OPTION")["NO_SUCH_OPTION"] in {"n", "?"}
