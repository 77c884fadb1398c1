"""What runs as PID 1 and below it."""

from __future__ import annotations

import pytest

from boxproof.deployment.box import Box
from boxproof.fixtures.agent_modes import Modes, handles_term, kill_program, of_program, shells_above, started
from boxproof.fixtures.factories import Containers
from boxproof.probes.process.orphans import orphans
from boxproof.probes.process.processes import processes
from boxproof.stubs import claude_cli
from boxproof.subject.model import Subject
from pytest_claims import claim, control, scope

MODES = ("remote-control", "headless", "interactive")
REAPED = 60.0  # seconds in which an init on a slow machine gets round to it


@claim("final-process-exec")
@scope("image")
@pytest.mark.parametrize("mode", MODES)
def test_no_shell_sits_above_the_cli(
    subject: Subject, modes: Modes, container: Containers, mode: str
) -> None:
    program = subject.image.cli
    with control("a script that ends without exec leaves its shell above the program"):
        left = container(
            files={program: (claude_cli.STAYS, 0o755)}, entrypoint=["sh", "-c", f"{program}; true"]
        )
        assert shells_above(program, started(left))
    box = started(modes(mode, tty=mode == "interactive"))
    assert of_program(program, processes(box))
    assert shells_above(program, box) == []


@claim("pid1-handles-sigterm")
@scope("image")
@pytest.mark.parametrize("mode", [*MODES, "api"])
def test_the_first_process_handles_term(modes: Modes, container: Containers, mode: str) -> None:
    with control("a program without a handler, although nothing stands before it"):
        assert not handles_term(container(entrypoint=["sleep", "3600"]))
    assert handles_term(modes(mode, tty=mode == "interactive"))


@claim("zombies-reaped")
@scope("image")
def test_orphans_do_not_become_zombies(modes: Modes, container: Containers) -> None:
    with control("a first process that does not reap keeps every one"):
        kept = orphans(container(entrypoint=["sleep", "3600"]))
        assert kept.zombies == kept.number
    found = orphans(modes(None, login=False), within=REAPED)
    assert found.adopters == (1,)
    assert found.zombies == 0


@claim("zombies-reaped")
def test_orphans_in_the_pod_do_not_become_zombies(box_applied: Box, container: Containers) -> None:
    with control("a first process that does not reap keeps every one"):
        assert orphans(container(entrypoint=["sleep", "3600"])).zombies
    beside = box_applied.beside(box_applied.container)
    with box_applied.alone():  # the orphans would be taken for its own by who looks at all of it
        found = orphans(beside, within=REAPED)
    assert found.adopters == (1,)
    assert found.zombies == 0


@claim("container-exits-with-app")
@scope("image")
@pytest.mark.parametrize("mode", MODES)
def test_the_container_ends_with_its_cli(
    subject: Subject, modes: Modes, container: Containers, mode: str
) -> None:
    program = subject.image.cli
    with control("an app beside a sleep: the container outlives it"):
        script = f"{program} & sleep 3600"
        left = started(container(files={program: (claude_cli.STAYS, 0o755)}, entrypoint=["sh", "-c", script]))
        kill_program(program, left)
        assert not left.ends(within=2)
    box = started(modes(mode, tty=mode == "interactive"))
    kill_program(program, box)
    assert box.ends(within=60)
