"""A dead and a hung CLI are noticed, nothing else passes for one that works, and no variable helps."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest

from boxproof.deployment.box import Box
from boxproof.fixtures.blocked_agent import (
    LIVE,
    Hanging,
    container_runs,
    endless,
    probed,
    to_clis,
    to_clis_of_pod,
)
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.stubs.anthropic import Stub
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, scope
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.waiting import holds, until

RESTARTED = 60.0  # seconds; two failures a second apart, 5 s to end, 10 s of back-off, a slow machine
USUAL = ("CLAUDE_TEST_MODE", "TEST_MODE", "CI", "DEBUG", "HEALTHCHECK_DISABLED", "SKIP_HEALTHCHECK")
NAME = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b")
READ = "cat /usr/local/bin/healthcheck /usr/local/lib/box/*.py; env | cut -d= -f1"
VALUES = ("1", "true", "yes", "0")
IMPOSTORS = {
    "a name in its arguments": "exec -a bin/claude sleep 3600",
    "a program called claude": "cp /bin/sleep /tmp/claude && exec /tmp/claude 3600",
}


def restarts(box: Box, *, beyond: int, within: float) -> int:
    """Return how often the container has restarted, once that is more than ``beyond`` or the time is over."""
    with suppress(DeadlineExceeded):
        box.wait_restarted(beyond, timeout=within)
    return int(observe("restarts", box.pod, int(box.status().get("restartCount", 0))))


@claim("liveness-detects-dead-or-hung")
def test_a_killed_and_a_stopped_cli_restart_the_container(
    make_box: MakeBox, subject: Subject, stub: Stub, docker: Any
) -> None:
    box = make_box(edit=endless(stub), ready=False)
    container_runs(box.status)
    with control("left alone it is not restarted, although it waits"):
        assert holds(lambda: box.status().get("restartCount", 0) == 0, seconds=4, every=1)
        assert observe("restarts", box.pod, int(box.status().get("restartCount", 0))) == 0
    assert until(lambda: to_clis_of_pod(subject, docker, box, "STOP"), timeout=60, what="a CLI to stop")
    assert restarts(box, beyond=0, within=RESTARTED) == 1, "stopped"
    container_runs(box.status)
    assert until(lambda: to_clis_of_pod(subject, docker, box, "KILL"), timeout=60, what="a CLI to kill")
    assert restarts(box, beyond=1, within=RESTARTED) == 2, "killed"


@claim("probe-checks-the-right-thing")
@scope("image")
@pytest.mark.parametrize("mode", ["headless", "interactive", "api"])
def test_only_the_real_process_satisfies_the_probe(
    hanging: Hanging, container: Containers, mode: str
) -> None:
    with control("while the mode's own program runs it is satisfied"):
        box = hanging(mode)
        assert until(lambda: box.exec(LIVE).ok, timeout=60, what="the probe is satisfied")
        assert probed(mode, box.exec(LIVE)).ok
    for what, script in IMPOSTORS.items():
        other = container(entrypoint=["bash", "-c", script], environment={"CLAUDE_MODE": mode})
        assert not probed(f"{mode}: {what}", other.exec(LIVE)).ok


@claim("probe-checks-the-right-thing")
@scope("image")
def test_no_variable_satisfies_the_probe(hanging: Hanging, container: Containers) -> None:
    box = hanging("headless")
    names = variables(box)
    assert len(names) > len(USUAL)
    with control("with the same variables it is satisfied where the CLI runs"):
        assert observe("satisfied with", "the CLI runs", satisfied(box, names)) == list(VALUES)
    dead = container(entrypoint=["sleep", "3600"], environment={"CLAUDE_MODE": "headless"})
    assert observe("satisfied with", "nothing runs", satisfied(dead, names)) == []


def variables(box: LocalContainer) -> list[str]:
    """Return the names of variables that its programs speak of or that it has, and the usual ones."""
    shown = box.exec(["sh", "-c", READ])
    return sorted({*NAME.findall(shown.stdout), *USUAL} - {"CLAUDE_MODE"})


def satisfied(box: LocalContainer, names: list[str]) -> list[str]:
    """Return the values with which, given to all these variables, the probe is satisfied."""
    return [each for each in VALUES if box.exec(["env", *(f"{name}={each}" for name in names), *LIVE]).ok]


@claim("docker-healthcheck-works")
@scope("image")
def test_the_engine_sees_a_stopped_and_a_killed_cli(
    hanging: Hanging, container: Containers, subject: Subject
) -> None:
    second = 1_000_000_000  # ns; the test is the image's own
    often = {"interval": second, "timeout": 60 * second, "retries": 2, "start_period": 0}
    with control("a container whose CLI never ran is not healthy"):
        empty = container(
            entrypoint=["sleep", "3600"], environment={"CLAUDE_MODE": "headless"}, healthcheck=often
        )
        assert health(empty, "unhealthy") != "healthy"
    for name in ("STOP", "KILL"):
        box = hanging("headless", healthcheck=often)
        assert health(box, "healthy") == "healthy"
        assert to_clis(subject, box, name)
        assert health(box, "unhealthy") == "unhealthy", name


def health(box: LocalContainer, wanted: str) -> str:
    """Return what the engine says of a container's health, once it is ``wanted`` or the time is over."""

    def now() -> str:
        box.made.reload()
        return str(box.made.attrs["State"].get("Health", {}).get("Status", "none"))

    with suppress(DeadlineExceeded):
        until(lambda: now() in (wanted, "none"), timeout=60, every=0.5, what=f"health {wanted}")
    return str(observe("health", wanted, now()))
