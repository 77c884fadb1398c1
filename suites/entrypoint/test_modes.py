"""CLAUDE_MODE decides what the CLI is told."""

from __future__ import annotations

from dataclasses import dataclass

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
UNKNOWN = ("bogus", "headless2", "remote", "Headless", "api ", "*", "headless|api", "--help")


@dataclass(frozen=True)
class End:
    """How a box ended: its exit code, whether its message names the mode, whether it called the CLI."""

    code: int | None
    names_it: bool
    called: bool


def seen_mode(modes: Modes, mode: str | None) -> str:
    """Return which mode the box is in when CLAUDE_MODE is ``mode``, by what it does; an observation."""
    box = modes(mode, stays=False, start=False, tty=mode == "interactive")
    if mode == "api":
        return observe("mode", "api", "api" if serves(box) else "none")
    box.run()
    argv = calls(box)[-1].argv
    kinds = {"remote-control": argv[:1] == ("remote-control",), "headless": bool(PRINTS & set(argv))}
    found = next((name for name, fits in kinds.items() if fits), "interactive")
    return observe("mode", str(mode), found)


def serves(box: LocalContainer) -> bool:
    """Start a box and return whether it answers in its service; one that does not, or has ended, does not."""
    try:
        return ask(api_session.serve(box), "say ok").status != 0
    except SubjectFault:
        return False


@claim("mode-dispatch")
@scope("image")
@pytest.mark.parametrize("mode", [None, "remote-control", "interactive", "headless", "api"])
def test_the_mode_decides_what_the_cli_is_told(modes: Modes, mode: str | None) -> None:
    wanted = mode or "remote-control"  # the claim's own word for when it is unset
    with control("in another mode it is seen to be in that one"):
        IS_MODE.fails(seen_mode(modes, OTHERS[wanted]), wanted)
    IS_MODE(seen_mode(modes, mode), wanted)


def ended(modes: Modes, mode: str, *, login: bool) -> End:
    """Return how the box ends in a mode; an observation."""
    box = modes(mode, stays=False, start=False, login=login)
    found = box.run(may_go_on=True)
    told = f"'{mode}'" in found.output and "mode" in found.output.lower()
    return observe(
        "end", f"{mode}, {'a login' if login else 'no login'}", End(found.code, told, bool(calls(box)))
    )


@claim("mode-dispatch")
@scope("image")
@pytest.mark.parametrize("login", [True, False])
def test_an_unknown_mode_is_refused_with_a_message(modes: Modes, login: bool) -> None:
    with control("a known mode calls the CLI and ends with 0"):
        REFUSED.fails(ended(modes, "remote-control", login=True))
    for each in UNKNOWN:
        REFUSED(ended(modes, each, login=login))
