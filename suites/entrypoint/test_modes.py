"""CLAUDE_MODE decides what the CLI is told."""

from __future__ import annotations

from boxproof.fixtures.agent_modes import Modes, calls
from boxproof.subject.model import Subject
from pytest_claims import claim, control, scope


def argv(modes: Modes, mode: str | None) -> tuple[str, ...]:
    """Return the arguments the CLI gets in a mode."""
    box = modes(mode, stays=False, start=False, tty=mode == "interactive")
    box.run()
    return calls(box)[-1].argv


@claim("mode-dispatch")
@scope("image")
def test_the_mode_decides_what_the_cli_is_told(subject: Subject, modes: Modes) -> None:
    with control("three modes call it in three ways"):
        seen = {mode: argv(modes, mode) for mode in ("remote-control", "interactive", "headless")}
        assert len(set(seen.values())) == 3
    assert seen["remote-control"][0] == "remote-control"
    assert {"-p", "--print"} & set(seen["headless"])
    assert not {"-p", "--print", "remote-control"} & set(seen["interactive"])
    assert argv(modes, None) == seen[subject.default_mode]


@claim("mode-dispatch")
@scope("image")
def test_an_unknown_mode_is_refused_with_a_message(modes: Modes) -> None:
    with control("a known mode calls the CLI and ends with 0"):
        known = modes("remote-control", stays=False, start=False)
        assert known.run().code == 0
        assert calls(known)
    bogus = modes("bogus", stays=False, start=False)
    found = bogus.run()
    assert found.code == 1
    assert "unknown mode" in found.output.lower()
    assert calls(bogus) == []
