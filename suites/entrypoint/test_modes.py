"""CLAUDE_MODE decides what the CLI is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from boxproof.agent import api_session
from boxproof.agent.api_session import ask
from boxproof.fixtures.agent_modes import Modes, calls
from boxproof.probes.containers import LocalContainer
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.faults import SubjectFault

IS_MODE = require("the box is in mode {}", lambda found, mode: found == mode)
REFUSED = require(
    "it ends with 1, a message that names the value, and no call of the CLI",
    lambda found: found.code == 1 and found.names_it and not found.called,
)
PRINTS = frozenset({"-p", "--print"})
OTHERS = {"remote-control": "headless", "headless": "interactive", "interactive": "api", "api": "headless"}
# what else a box could choose by where nobody names a mode, or beside the one that is named
BESIDE: dict[str, dict[str, Any]] = {
    "a terminal": {"tty": True},
    "no terminal": {"tty": False},
    "settings of the api": {"environment": {"BOX_API_HOST": "127.0.0.1", "BOX_API_TOKEN": "stub-client"}},
}
CASES = [(None, "settings of the api")] + [
    (mode, beside)
    for mode in (None, "remote-control", "interactive", "headless", "api")
    for beside in ("a terminal", "no terminal")
    if (mode, beside) != ("interactive", "no terminal")  # it needs one
]
UNKNOWN = ("bogus", "headless2", "remote", "Headless", "api ", "*", "headless|api", "--help")


@dataclass(frozen=True)
class End:
    """How a box ended: its exit code, whether its message names the mode, whether it called the CLI."""

    code: int | None
    names_it: bool
    called: bool


def seen_mode(modes: Modes, mode: str | None, beside: str = "") -> str:
    """Return which mode the box is in when CLAUDE_MODE is ``mode``, by what it does; an observation.

    By default it has a terminal in the mode that needs one.
    """
    given = BESIDE[beside or ("a terminal" if mode == "interactive" else "no terminal")]
    box = modes(mode, stays=False, start=False, **given)
    asked = f"{mode}, {beside}"
    if mode == "api":
        return observe("mode", asked, "api" if serves(box) else "none")
    box.run(may_go_on=True)
    called = calls(box)
    argv = called[-1].argv if called else ()
    kinds = {
        "remote-control": argv[:1] == ("remote-control",),
        "headless": bool(PRINTS & set(argv)),
        "interactive": bool(called),
    }
    return observe("mode", asked, next((name for name, fits in kinds.items() if fits), "none"))


def serves(box: LocalContainer) -> bool:
    """Start a box and return whether it answers in its service; one that does not, or has ended, does not."""
    try:
        return ask(api_session.serve(box), "say ok").status != 0
    except SubjectFault:
        return False


@claim("mode-dispatch")
@scope("image")
@pytest.mark.parametrize(("mode", "beside"), CASES)
def test_the_mode_decides_what_the_cli_is_told(modes: Modes, mode: str | None, beside: str) -> None:
    wanted = mode or "remote-control"  # the claim's own word for when it is unset
    with control("in another mode it is seen to be in that one"):
        IS_MODE.fails(seen_mode(modes, OTHERS[wanted]), wanted)
    IS_MODE(seen_mode(modes, mode, beside), wanted)


def ended(modes: Modes, mode: str, *, login: bool, tty: bool) -> End:
    """Return how the box ends in a mode; an observation."""
    box = modes(mode, stays=False, start=False, login=login, tty=tty)
    found = box.run(may_go_on=True)
    told = f"'{mode}'" in found.output and "mode" in found.output.lower()
    asked = f"{mode}, {'a' if login else 'no'} login, {'a' if tty else 'no'} terminal"
    return observe("end", asked, End(found.code, told, bool(calls(box))))


@claim("mode-dispatch")
@scope("image")
@pytest.mark.parametrize("tty", [True, False])
@pytest.mark.parametrize("login", [True, False])
def test_an_unknown_mode_is_refused_with_a_message(modes: Modes, login: bool, tty: bool) -> None:
    with control("a known mode calls the CLI and ends with 0"):
        REFUSED.fails(ended(modes, "remote-control", login=True, tty=tty))
    for each in UNKNOWN:
        REFUSED(ended(modes, each, login=login, tty=tty))
