"""The form of ENTRYPOINT, and that arguments reach the app through it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from boxproof.agent import api_session
from boxproof.agent.api_session import ask
from boxproof.core.session import ImageInfo, Session
from boxproof.fixtures.agent_modes import Modes, calls, of_program, started
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.probes.processes import descended, processes
from boxproof.stubs import claude_cli
from boxproof.subject.image.bad_images import config_of, configured
from boxproof.subject.image.entrypoint import Form, form, is_shell
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.waiting import until

pytestmark = scope("image")

ENTRYPOINT_ARRAY = require(
    "ENTRYPOINT is an array of words, not a shell's string",
    lambda found: found not in (Form.SHELL, Form.NONE),
)
COMMAND_ARRAY = require(
    "CMD, where there is one, is no shell's string", lambda found: found is not Form.SHELL
)
EXEC = require("no shell is what the array starts", lambda found: found is Form.EXEC)
NO_SHELL = require("no shell stays among the processes", lambda found: found == [])
HANDED_ON = require("the CLI gets {} in addition to its own", lambda found, words: found == words)

WORDS = ("--debug", "two words")
BACKGROUND = "sleep 3600 & wait"
IN_SHELL_FORM = {
    "sh": ("ENTRYPOINT /start", "CMD debug"),
    # as a build leaves both where SHELL is bash: the engine's import knows no SHELL
    "bash": (
        'ENTRYPOINT ["/bin/bash", "-o", "pipefail", "-c", "/start"]',
        'CMD ["/bin/bash", "-o", "pipefail", "-c", "debug"]',
    ),
}


def written(label: str, words: Sequence[str] | None) -> Form:
    """Return the form of words; a shell with a string, whichever shell, is what SHELL's form leaves."""
    found = form(words)
    shells = found is Form.WRAPPED and words is not None and is_shell(words[0])
    return observe("form", label, Form.SHELL if shells else found)


@claim("entrypoint-exec-form")
@pytest.mark.parametrize("shell", sorted(IN_SHELL_FORM))
def test_entrypoint_is_a_json_array(
    session: Session, docker: Any, image: ImageInfo, image_config: dict[str, Any], shell: str
) -> None:
    with (
        control("both in shell form, whatever SHELL is, are seen as such"),
        configured(docker, IN_SHELL_FORM[shell], run=session.run) as made,
    ):
        config = config_of(docker, made)
        ENTRYPOINT_ARRAY.fails(written("ENTRYPOINT in shell form", config["Entrypoint"]))
        COMMAND_ARRAY.fails(written("CMD in shell form", config["Cmd"]))
    ENTRYPOINT_ARRAY(written(f"ENTRYPOINT of {image.reference}", image_config["Entrypoint"]))
    COMMAND_ARRAY(written(f"CMD of {image.reference}", image_config["Cmd"]))


def shells(box: LocalContainer, program: str) -> list[str]:
    """Return the shells that PID 1 is or has started, the CLI itself apart; an observation."""
    every = descended(processes(box))
    clis = {each.pid for each in of_program(program, every)}
    found = [
        " ".join(each.cmdline)
        for each in every
        if each.pid not in clis and each.cmdline and is_shell(each.cmdline[0])
    ]
    return observe("shells", box.label, found)


def with_child(box: LocalContainer) -> LocalContainer:
    """Wait until the first process has started another."""
    until(lambda: len(descended(processes(box))) > 1, timeout=30, every=0.2, what="a child of PID 1")
    return box


@claim("no-shell-wrapper-inside-exec-form")
@pytest.mark.parametrize("mode", ["remote-control", "interactive", "headless", "api", "no login"])
def test_the_array_does_not_start_a_shell_that_stays(
    modes: Modes, container: Containers, image: ImageInfo, image_config: dict[str, Any], subject: Subject,
    mode: str,
) -> None:  # fmt: skip
    program = subject.image.cli
    with control("an app in the background of a shell, PID 1 or below an init: the brackets are there"):
        for wrapped in (["sh", "-c", BACKGROUND], ["/usr/bin/tini", "--", "sh", "-c", BACKGROUND]):
            EXEC.fails(observe("form", str(wrapped), form(wrapped)))
            NO_SHELL.fails(shells(with_child(container(entrypoint=wrapped)), program))
    EXEC(observe("form", image.reference, form(image_config["Entrypoint"])))
    if mode == "no login":
        box = modes(None, login=False).wait_log("No login")
    elif mode == "api":
        box = api_session.serve(modes(mode, start=False))
    else:
        box = started(modes(mode, tty=mode == "interactive"))
    NO_SHELL(shells(box, program))


def told(modes: Modes, mode: str | None, *words: str) -> tuple[str, ...]:
    """Return the arguments of the CLI's last call in a mode, with ``words`` after the image's name."""
    tty = mode == "interactive"
    box = modes(mode, *words, stays=False, start=False, tty=tty)
    if mode == "api":
        ask(api_session.serve(box), "say ok")
    else:
        box.run()
    return last_call(box)


def last_call(box: LocalContainer) -> tuple[str, ...]:
    """Return the arguments of the CLI's last call, () if there was none."""
    found = calls(box)
    return found[-1].argv if found else ()


def beyond(label: str, argv: tuple[str, ...], own: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a call has after its own arguments, () if those are not all there; an observation."""
    added = argv[len(own) :] if argv[: len(own)] == own else ()
    return observe("arguments beyond the box's own", label, added)


@claim("args-pass-through")
@pytest.mark.parametrize("mode", [None, "remote-control", "interactive", "headless", "api"])
def test_arguments_are_added_to_the_app(modes: Modes, container: Containers, mode: str | None) -> None:
    with control("without an ENTRYPOINT the engine takes the arguments for the program"):
        put = {"/usr/local/bin/claude": (claude_cli.ENDS, 0o755)}
        replaced = container(*WORDS, entrypoint=[""], files=put, start=False)
        assert '"--debug": executable file not found' in replaced.run().error
        HANDED_ON.fails(beyond("no ENTRYPOINT", last_call(replaced), ()), WORDS)
    own = told(modes, mode)
    HANDED_ON(beyond(mode or "default", told(modes, mode, *WORDS), own), WORDS)
