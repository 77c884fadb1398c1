"""What ``inv diff-config`` prints, asks and ends with, whatever the volume holds."""

from __future__ import annotations

import io
import json
import sys

import pytest

from boxproof.operations import volume_settings
from boxproof.operations.volume_settings import Difference, Settings
from boxproof.tasks import runbooks
from pytest_claims.faults import UsageError

HOOK = Difference("settings.json", "added", text="--- nothing\n+++ volume\n+{}")


class Terminal(io.StringIO):
    """A standard input that somebody sits at."""

    def isatty(self) -> bool:
        return True


class Agent:
    """An agent's volume with some differences; ``puts`` is how often they were put back."""

    def __init__(self, found: Settings) -> None:
        self.found = found
        self.puts = 0

    def look(self, volume: object, places: volume_settings.Places) -> Settings:
        assert (volume, places.container) == (self, "claude")
        return self.found

    def reset(self, volume: object, places: volume_settings.Places) -> Settings:
        self.puts += 1
        return self.look(volume, places)


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Agent:
    """An agent with a hook that nothing gives, and a directory that nobody knows."""
    made = Agent(Settings((HOOK,), ("what-is-it",)))
    monkeypatch.setattr(runbooks, "volume", lambda _suffix: made)
    monkeypatch.setattr(volume_settings, "look", made.look)
    monkeypatch.setattr(volume_settings, "reset", made.reset)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return made


def test_what_differs_is_told_and_left(agent: Agent, capsys: pytest.CaptureFixture[str]) -> None:
    assert runbooks.diff_config(reset=False, yes=False) == 1
    told = capsys.readouterr().out
    assert "added    settings.json (nothing gives it)" in told
    assert "+{}" in told
    assert "never touched: what-is-it" in told
    assert agent.puts == 0


def test_nothing_that_differs_ends_with_0(agent: Agent, capsys: pytest.CaptureFixture[str]) -> None:
    agent.found = Settings(())
    assert runbooks.diff_config(reset=True, yes=True) == 0
    assert "as image and repository give it" in capsys.readouterr().out
    assert agent.puts == 0


def test_json_is_all_of_standard_output(agent: Agent, capsys: pytest.CaptureFixture[str]) -> None:
    assert runbooks.diff_config(reset=False, yes=False, as_json=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["schema_version"], told["put_back"], told["others"]) == (1, False, ["what-is-it"])
    assert told["differences"][0]["path"] == "settings.json"


@pytest.mark.parametrize("as_json", [False, True])
def test_nobody_to_ask_is_wrong_usage_before_anything_is_looked_at(agent: Agent, as_json: bool) -> None:
    with pytest.raises(UsageError, match="nobody can be asked"):
        runbooks.diff_config(reset=True, yes=False, as_json=as_json)
    assert agent.puts == 0


def test_yes_puts_it_back_unasked(agent: Agent, capsys: pytest.CaptureFixture[str]) -> None:
    assert runbooks.diff_config(reset=True, yes=True) == 0
    assert agent.puts == 1
    assert "put back" in capsys.readouterr().out


@pytest.mark.parametrize(("answer", "puts"), [("y", 1), ("YES", 1), ("", 0), ("n", 0), ("what", 0)])
def test_a_person_is_asked(agent: Agent, monkeypatch: pytest.MonkeyPatch, answer: str, puts: int) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(f"{answer}\n" if answer else ""))
    assert runbooks.diff_config(reset=True, yes=False) == 1 - puts
    assert agent.puts == puts
