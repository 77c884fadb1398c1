"""What the box starts by the CLI's name, in each of its modes, after an update has left another one."""

from __future__ import annotations

from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any

import pytest

from boxproof.agent import api_session
from boxproof.fixtures.agent_modes import Modes, started
from boxproof.probes.containers import Files, LocalContainer
from boxproof.probes.processes import processes
from boxproof.stubs import claude_cli
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.faults import EnvironmentFault, SubjectFault

ITS_OWN = require("what runs by the CLI's name is {} and no other", lambda found, cli: set(found) == {cli})
VARIABLE = "DISABLE_AUTOUPDATER"
TOLD = require("it is told to leave updates alone", lambda value: value.lower() in ("1", "true", "yes", "on"))
NOT_BEFORE = require("no directory that the user may write is looked into before it", lambda dirs: dirs == [])
LEFT = (".local/bin", "bin", ".npm-global/bin", ".claude/local")  # where installers and people put one
WRITABLE = """for each; do
    at=$each
    while [ -n "$at" ] && [ ! -e "$at" ]; do at=${at%/*}; done
    [ ! -w "${at:-/}" ] || echo "$each"
done"""  # what is not there yet can be made where its nearest parent is writable


def others(subject: Subject) -> Files:
    """Return a CLI of the user's own in each place, with the directories that it is in."""
    name = PurePosixPath(subject.image.cli).name
    made: dict[str, tuple[bytes | None, int, int]] = {}
    for each in LEFT:
        place = PurePosixPath(subject.home) / each
        inside = [place, *(above for above in place.parents if PurePosixPath(subject.home) in above.parents)]
        made |= {str(above): (None, 0o755, subject.uid) for above in reversed(inside)}
        made[str(place / name)] = (claude_cli.STAYS, 0o755, subject.uid)
    return made


def at_work(modes: Modes, subject: Subject, mode: str, **environment: str) -> LocalContainer:
    """Return the box in a mode with those of the user, once a CLI was called."""
    box = modes(mode, start=False, tty=mode == "interactive", environment=environment)
    box.put(others(subject))
    if mode == "api":
        api_session.serve(box).made.exec_run(api_session.words("say ok"), detach=True)
    else:
        box.start()
    return started(box)


def looked_up(asked: str, box: LocalContainer, cli: str) -> tuple[list[str], list[str], str]:
    """Return what runs by the CLI's name, the user's directories that come first, and what it is told.

    The last is the value of the variable that switches updates off, "" where it has none. Observations.
    """
    name = PurePosixPath(cli).name
    running = {
        each.pid: word
        for each in processes(box)
        for word in each.cmdline[:2]
        if PurePosixPath(word).name == name
    }
    if not running:
        raise SubjectFault(f"nothing runs by the name {name}; last output: {box.logs()[-300:]}")
    environment = box.exec(["cat", f"/proc/{next(iter(running))}/environ"]).stdout.split("\0")
    given = dict(each.partition("=")[::2] for each in environment)
    path = given.get("PATH", "")
    if not path:
        raise EnvironmentFault(f"the environment of {name} in {box.label} cannot be read")
    before = takewhile(lambda each: each != str(PurePosixPath(cli).parent), path.split(":"))
    words = [each if each.startswith("/") else f"./{each}" for each in before]
    first = box.exec(["sh", "-c", WRITABLE, "look", *words]).stdout.split()
    return (
        observe("started by the CLI's name", asked, sorted(set(running.values()))),
        observe("the user's, before the CLI's directory", asked, first),
        observe("switched off by", asked, given.get(VARIABLE, "")),
    )


@claim("claude-autoupdate-off")
@needs("box")
@scope("image")
@pytest.mark.parametrize("mode", ["headless", "api", "remote-control", "interactive"])
def test_no_mode_starts_what_an_update_has_left(
    modes: Modes, subject: Subject, image_config: dict[str, Any], mode: str
) -> None:
    cli = subject.image.cli
    given = dict(each.split("=", 1) for each in image_config.get("Env") or ())
    with control("with a directory of the user first in PATH what is there is started, told nothing else"):
        changed = {"PATH": f"{subject.home}/{LEFT[0]}:{given['PATH']}", VARIABLE: ""}
        running, first, told = looked_up("it first", at_work(modes, subject, mode, **changed), cli)
        ITS_OWN.fails(running, cli)
        NOT_BEFORE.fails(first)
        TOLD.fails(told)
    running, first, told = looked_up(f"mode {mode}", at_work(modes, subject, mode), cli)
    ITS_OWN(running, cli)
    NOT_BEFORE(first)
    TOLD(told)
