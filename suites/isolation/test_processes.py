"""How many processes the agent may have: what its program was started with, by the kernel's word."""

from __future__ import annotations

import pytest

from boxproof.agent import api_session
from boxproof.agent.api_session import words
from boxproof.deployment.box import Box
from boxproof.fixtures.agent_modes import Modes, of_program, started
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.probes.processes import descended, processes
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.faults import EnvironmentFault

MOST = 8192  # of one user: a quarter of the process ids of a machine that has the kernel's 32768
FEW = require(
    "its user may have at most {} processes, and raise that no further", lambda n, most: 0 < n <= most
)
NAME = "Max processes"


def allowed(asked: str, limits: str) -> int:
    """Return the larger of soft and hard limit in the text of /proc/PID/limits, 0 for any number."""
    line = next((each for each in limits.splitlines() if each.startswith(NAME)), "")
    if not line:
        raise EnvironmentFault(f"no limits of {asked}: {limits[-200:]!r}")
    soft, hard = line[len(NAME) :].split()[:2]
    return observe(NAME, asked, max(int(soft), int(hard)) if soft.isdigit() and hard.isdigit() else 0)


def of(box: Box | LocalContainer, pid: int, what: str) -> int:
    """Return how many processes the user of a process may have; an observation."""
    return allowed(f"{box.label}: {what}", box.exec(["cat", f"/proc/{pid}/limits"]).stdout)


def with_cli(modes: Modes, mode: str) -> LocalContainer:
    """Return the box in a mode, its CLI called."""
    if mode == "api":
        box = api_session.serve(modes(mode, start=False))
        box.made.exec_run(words("say ok"), detach=True)
    else:
        box = modes(mode, tty=mode == "interactive")
    return started(box)


@claim("iso-processes-of-the-agent")
@scope("image")
@pytest.mark.parametrize("mode", ["headless", "api", "remote-control", "interactive"])
def test_the_cli_starts_no_more_than_so_many_in_any_mode(
    modes: Modes, container: Containers, subject: Subject, mode: str
) -> None:
    with control("what the engine starts may have more"):
        FEW.fails(of(container(entrypoint=["sleep", "3600"]), 1, "sleep"), MOST)
    box = with_cli(modes, mode)
    found = of_program(subject.image.cli, processes(box))
    assert found, "the CLI does not run"
    FEW(of(box, found[0].pid, "the CLI"), MOST)


@claim("iso-processes-of-the-agent")
def test_nor_does_what_the_deployed_box_runs(box: Box) -> None:
    """Everything the agent starts comes from what its init started first."""
    first, *rest = sorted(descended(box.processes()), key=lambda each: each.pid)
    with control("its init, which the runtime starts, may have more"):
        FEW.fails(of(box, first.pid, first.comm), MOST)
    assert rest, "its init runs nothing"
    FEW(of(box, rest[0].pid, rest[0].comm), MOST)
