"""What runs as PID 1 and below it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from boxproof.agent import api_session
from boxproof.agent.api_session import words
from boxproof.deployment.box import Box
from boxproof.fixtures.agent_modes import (
    Modes,
    handles_term,
    kill_program,
    of_program,
    shells_above,
    started,
    to_clis_of_pod,
)
from boxproof.fixtures.factories import Containers, Twins
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pressure import eventually
from boxproof.probes.processes import kill, orphans, processes
from boxproof.stubs import claude_cli
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from suites.shipped_box import Shipped

MODES = ("remote-control", "headless", "interactive")
REAPED = 60.0  # seconds in which an init on a slow machine gets round to it
RESTARTED = 60.0  # seconds until the kubelet has started a container again

HANDED_OVER = require(
    "the CLI runs and no shell is above it", lambda found: found.clis > 0 and not found.shells
)
HANDLES_TERM = require("PID 1 is an init or handles TERM", lambda handles: handles)
REAPED_ALL = require(
    "PID 1 takes every orphan, and leaves no zombie",
    lambda found: found.adopters == (1,) and not found.zombies,
)
ENDS_WITH_IT = require("the container ends once its program has died", lambda ends: ends)
STARTED_AGAIN = require("the container is started again", lambda count: count > 0)


@dataclass(frozen=True)
class Above:
    """How many processes run the CLI, and the shells among their parents."""

    clis: int
    shells: tuple[str, ...]


def above(program: str, box: LocalContainer) -> Above:
    """Return what is above the CLI; an observation."""
    clis = len(of_program(program, processes(box)))
    return observe("above the CLI", box.label, Above(clis, tuple(shells_above(program, box))))


def at_work(modes: Modes, mode: str) -> LocalContainer:
    """Return the box with its CLI called in a mode."""
    if mode != "api":
        return started(modes(mode, tty=mode == "interactive"))
    box = api_session.serve(modes(mode, start=False))
    box.made.exec_run(words("Wait."), detach=True)
    return started(box)


@claim("final-process-exec")
@scope("image")
@pytest.mark.parametrize("mode", [*MODES, "api"])
def test_no_shell_sits_above_the_cli(
    subject: Subject, modes: Modes, container: Containers, mode: str
) -> None:
    program = subject.image.cli
    with control("a script that ends without exec leaves its shell above the program"):
        left = container(
            files={program: (claude_cli.STAYS, 0o755)}, entrypoint=["sh", "-c", f"{program}; true"]
        )
        HANDED_OVER.fails(above(program, started(left)))
    HANDED_OVER(above(program, at_work(modes, mode)))


@claim("pid1-handles-sigterm")
@scope("image")
@pytest.mark.parametrize("mode", [*MODES, "api"])
def test_the_first_process_handles_term(modes: Modes, container: Containers, mode: str) -> None:
    with control("a program without a handler, although nothing stands before it"):
        HANDLES_TERM.fails(handles_term(container(entrypoint=["sleep", "3600"])))
    HANDLES_TERM(handles_term(modes(mode, tty=mode == "interactive")))


@claim("pid1-handles-sigterm")
def test_the_first_process_of_the_box_as_shipped_handles_term(shipped_once: Box, twin: Twins) -> None:
    with control("a pod whose program has no handler"):
        HANDLES_TERM.fails(handles_term(twin(fresh=True, command=["sleep", "infinity"])))
    HANDLES_TERM(handles_term(shipped_once.beside(shipped_once.container)))


@claim("zombies-reaped")
@scope("image")
@pytest.mark.parametrize("mode", [None, "api", "headless"])
def test_orphans_do_not_become_zombies(modes: Modes, container: Containers, mode: str | None) -> None:
    with control("a first process that does not reap keeps every one"):
        REAPED_ALL.fails(orphans(container(entrypoint=["sleep", "3600"])))
    box = modes(None, login=False) if mode is None else modes(mode)
    REAPED_ALL(orphans(box, within=REAPED))


@claim("zombies-reaped")
def test_orphans_in_the_pod_do_not_become_zombies(box_applied: Box, container: Containers) -> None:
    with control("a first process that does not reap keeps every one"):
        REAPED_ALL.fails(orphans(container(entrypoint=["sleep", "3600"])))
    beside = box_applied.beside(box_applied.container)
    with box_applied.alone():  # the orphans would be taken for its own by who looks at all of it
        found = orphans(beside, within=REAPED)
    REAPED_ALL(found)


@claim("zombies-reaped")
def test_orphans_in_the_box_as_shipped_do_not_become_zombies(
    shipped_once: Box, container: Containers
) -> None:
    with control("a first process that does not reap keeps every one"):
        REAPED_ALL.fails(orphans(container(entrypoint=["sleep", "3600"])))
    beside = shipped_once.beside(shipped_once.container)
    with shipped_once.alone():
        found = orphans(beside, within=REAPED)
    REAPED_ALL(found)


@claim("container-exits-with-app")
@scope("image")
@pytest.mark.parametrize("mode", [*MODES, "api"])
def test_the_container_ends_with_its_cli(
    subject: Subject, modes: Modes, container: Containers, mode: str
) -> None:
    program = subject.image.cli
    with control("an app beside a sleep: the container outlives it"):
        script = f"{program} & sleep 3600"
        left = started(container(files={program: (claude_cli.STAYS, 0o755)}, entrypoint=["sh", "-c", script]))
        kill_program(program, left)
        ENDS_WITH_IT.fails(left.ends(within=2))
    if (
        mode == "api"
    ):  # there the CLI comes and goes with each prompt: what must not be missing is the service
        box = api_session.serve(modes(mode, start=False))
        every = [each for each in processes(box) if not each.zombie]
        started_others = {each.ppid for each in every}
        kill(box, [each for each in every if each.pid not in {1, *started_others}])
    else:
        box = started(modes(mode, tty=mode == "interactive"))
        kill_program(program, box)
    ENDS_WITH_IT(box.ends(within=60))


@claim("container-exits-with-app")
def test_the_container_as_shipped_is_started_again_once_its_cli_has_died(
    shipped: Shipped, subject: Subject, docker: object
) -> None:
    def restarts(box: Box) -> int:
        return observe("restarts", box.label, int(box.status().get("restartCount", 0)))

    box = shipped()
    shipped.called(box)
    with control("while it lives it is not"):
        STARTED_AGAIN.fails(restarts(box))
    assert to_clis_of_pod(subject, docker, box, "KILL"), "no process of the CLI was found"
    eventually(lambda: restarts(box), timeout=RESTARTED, what="the container is started again")
    STARTED_AGAIN(restarts(box))
