"""The box that has waited for a login: once somebody has logged in, it is as any other."""

from __future__ import annotations

import json

import pytest

from boxproof.fixtures.agent_modes import LOGIN, Modes, calls, started
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pressure import judged
from boxproof.subject.model import Subject
from pytest_claims import claim, control, require, scope
from suites.entrypoint.test_form import WORDS, beyond, last_call
from suites.entrypoint.test_signals import STOPS, TOLD, show_untold, told_in_time

pytestmark = scope("image")

WAITS = "No login"  # what a box says that waits
MODES = ("remote-control", "headless")  # of those that wait, the ones that start the CLI by themselves
HANDED_ON = require("the CLI gets {} in addition to its own", lambda found, words: found == words)


def logged_in(modes: Modes, mode: str, *words: str) -> LocalContainer:
    """Return the box in a mode whose CLI was started because somebody has logged in at last."""
    box = modes(mode, *words, login=False, environment={"CLAUDE_PROMPT": "say ok"}).wait_log(WAITS)
    assert not calls(box), "the CLI was started without a login"
    box.put({f"{modes.subject.config_dir}/.credentials.json": (json.dumps(LOGIN).encode(), 0o644)})
    return started(box)


@claim("args-pass-through")
@pytest.mark.parametrize("mode", MODES)
def test_arguments_are_added_to_the_cli_of_a_box_that_has_waited(modes: Modes, mode: str) -> None:
    own = last_call(logged_in(modes, mode))
    with control("a box that is given none hands none on"):
        HANDED_ON.fails(beyond(f"{mode}, no words", own, own), WORDS)
    HANDED_ON(beyond(mode, last_call(logged_in(modes, mode, *WORDS)), own), WORDS)


@claim("sigterm-graceful-5s")
@pytest.mark.parametrize("mode", MODES)
def test_term_reaches_the_cli_of_a_box_that_has_waited(
    modes: Modes, container: Containers, subject: Subject, mode: str
) -> None:
    with control("below a shell without a trap the program is told nothing, and all has to be killed"):
        show_untold(container, subject)
    found, told = judged(lambda: told_in_time(logged_in(modes, mode)))
    STOPS(found)
    TOLD(told)
