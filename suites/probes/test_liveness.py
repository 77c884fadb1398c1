"""A dead and a hung CLI are noticed, nothing else passes for one that works, and no variable helps."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from boxproof.core.session import EngineInfo, ImageInfo, Session
from boxproof.deployment.box import Box
from boxproof.deployment.deploy import rendered
from boxproof.fixtures.agent_modes import (
    LIVE,
    Hanging,
    Modes,
    container_runs,
    endless,
    probe_often,
    probed,
    started,
    to_clis,
    to_clis_of_pod,
)
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.compose_project import Composed, Documented, socket_of
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pressure import eventually
from boxproof.probes.processes import processes
from boxproof.stubs.anthropic import Stub
from boxproof.subject.image.bad_images import config_of, configured
from boxproof.subject.manifests.pod_specs import pod_spec, workload
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.waiting import holds, until
from suites.probes.health_questions import adds_up
from suites.shipped_box import Shipped

RESTARTED_MORE = require(
    "the container was restarted, more than {} times", lambda count, before: count > before
)
NOT_SATISFIED = require("the probe is not satisfied", lambda found: not found.ok)
NEVER = require("no value of any variable satisfies the probe", lambda values: values == [])
UNHEALTHY = require("the engine sees that it is unhealthy", lambda health: health == "unhealthy")
HEALTHY = require("the engine sees that it is healthy", lambda health: health == "healthy")
ASKS = require(
    "the engine asks what the image says, and a dead CLI is noticed within {1} s",
    lambda found, test, most: found.test == test and found.seconds <= most,
)
SOON = require("a program that is dead or hung is noticed within {} s", lambda seconds, most: seconds <= most)
NOTICED = 120  # seconds: what a user waits for an agent that does not answer before going to look
ANEW = require(
    "it is started anew within {} s, also where it hangs from its start on",
    lambda seconds, most: seconds <= most,
)
BEGINS_ANEW = 300  # seconds: the same, and those that a pod has to end
RESTARTED = 60.0  # seconds; two failures a second apart, 5 s to end, 10 s of back-off, a slow machine
USUAL = ("CLAUDE_TEST_MODE", "TEST_MODE", "CI", "DEBUG", "HEALTHCHECK_DISABLED", "SKIP_HEALTHCHECK")
SUPERVISOR = "/usr/local/lib/box/supervise.py"
SERVICE = "api.py"  # in mode api the CLI comes and goes: what must not hang is what starts it
SCRIPT = 3  # words of a command among which a script's name is
NAME = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b")
READ = "cat /usr/local/bin/healthcheck /usr/local/lib/box/*.py; env | cut -d= -f1"
ADDRESS = {"BOX_API_HOST", "BOX_API_PORT"}
VALUES = ("1", "true", "yes", "0")
IMPOSTORS = {
    "a name in its arguments": "exec -a bin/claude sleep 3600",
    "a program called claude": "cp /bin/sleep /tmp/claude && exec /tmp/claude 3600",
    "scripts with the names of the box's own": (
        "mkdir -p /tmp/lib/box && cd /tmp/lib/box && echo 'sleep 3600; :' | tee supervise.py api.py"
        " >/dev/null && { bash /tmp/lib/box/supervise.py & exec bash /tmp/lib/box/api.py; }"
    ),
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
    killed_and_stopped(box, subject, docker)


@claim("liveness-detects-dead-or-hung")
def test_so_do_they_in_the_box_as_shipped(shipped: Shipped, subject: Subject, docker: Any) -> None:
    box = shipped(edit=probe_often)
    shipped.called(box)
    killed_and_stopped(box, subject, docker)


def killed_and_stopped(box: Box, subject: Subject, docker: Any) -> None:
    """Show that a stopped CLI, and then a killed one, have the container restarted."""
    with control("left alone it is not restarted, although it waits"):
        holds(lambda: box.status().get("restartCount", 0) == 0, seconds=4, every=1)
        RESTARTED_MORE.fails(observe("restarts", box.pod, int(box.status().get("restartCount", 0))), 0)
    for before, signal in enumerate(("STOP", "KILL")):
        until(lambda: to_clis_of_pod(subject, docker, box, signal), timeout=60, what=f"a CLI to {signal}")  # noqa: B023
        RESTARTED_MORE(restarts(box, beyond=before, within=RESTARTED), before)
        container_runs(box.status)


@claim("liveness-detects-dead-or-hung")
@scope("image")
def test_a_supervisor_that_hangs_is_noticed(hanging: Hanging) -> None:
    """It is the one who looks at the CLI: what it said last must not stand for ever."""
    box = hanging("headless")
    until(lambda: box.exec(LIVE).ok, timeout=60, what="the probe is satisfied")
    with control("while it runs the probe is satisfied"):
        NOT_SATISFIED.fails(probed("the supervisor runs", box.exec(LIVE)))
    assert box.exec(["pkill", "-STOP", "-f", SUPERVISOR]).ok, "no supervisor was found"
    with suppress(DeadlineExceeded):
        until(lambda: not box.exec(LIVE).ok, timeout=NOTICED, every=1, what="the probe fails")
    NOT_SATISFIED(probed("the supervisor is stopped", box.exec(LIVE)))


@claim("liveness-detects-dead-or-hung")
@scope("image")
@pytest.mark.parametrize("mode", ["remote-control", "headless", "interactive", "api"])
def test_what_is_stopped_fails_the_probe_in_every_mode(
    hanging: Hanging, modes: Modes, subject: Subject, mode: str
) -> None:
    # remote control needs an account: there a stand-in is what the box has started
    box = started(modes(mode)) if mode == "remote-control" else hanging(mode)
    until(lambda: box.exec(LIVE).ok, timeout=60, what="the probe is satisfied")
    with control("while it runs the probe is satisfied"):
        NOT_SATISFIED.fails(probed(f"{mode}, it runs", box.exec(LIVE)))
    name = SERVICE if mode == "api" else subject.image.cli.rpartition("/")[2]
    pids = [str(each.pid) for each in processes(box) if name in names_of(each.cmdline)]
    assert pids, f"no process is called {name}"
    assert box.exec(["sh", "-c", 'kill -s STOP "$@"', "stop", *pids]).ok, "it cannot be stopped"
    eventually(lambda: not box.exec(LIVE).ok, timeout=60, every=1, what="the probe fails")
    NOT_SATISFIED(probed(f"{mode}, stopped", box.exec(LIVE)))


def names_of(cmdline: tuple[str, ...]) -> list[str]:
    """Return the names by which a process may be known: a script's is that of an argument."""
    return [each.rpartition("/")[2] for each in cmdline[:SCRIPT]]


@claim("liveness-detects-dead-or-hung")
def test_the_probe_looks_often_enough(session: Session, subject: Subject) -> None:
    """What is probed every second elsewhere is probed as the manifests say here."""

    def noticed(asked: str, probe: dict[str, Any]) -> float:
        """Return the seconds until failures add up to a restart, for ever without a probe; an observation."""
        return observe("seconds until it is noticed", asked, adds_up(probe) if probe else float("inf"))

    def anew(asked: str, pod: dict[str, Any], agent: dict[str, Any]) -> float:
        """Return the most seconds until a program that hangs, even from its start on, is started anew.

        What is asked while it starts is taken to be answered, as by a program that is not there yet.
        """
        live = agent.get("livenessProbe") or {}
        grace = live.get("terminationGracePeriodSeconds", pod.get("terminationGracePeriodSeconds", 30))
        startup = agent.get("startupProbe") or {}
        seconds = max(adds_up(live), adds_up({**startup, "timeoutSeconds": 1}) if startup else 0) + grace
        return observe("seconds until it is started anew", asked, float(seconds))

    with control("no probe, one that forgives or waits for long, an hour to start, an hour to end"):
        SOON.fails(noticed("no probe", {}), NOTICED)
        SOON.fails(noticed("a patient one", {"periodSeconds": 20, "failureThreshold": 1000}), NOTICED)
        SOON.fails(noticed("one that waits", {"periodSeconds": 10, "timeoutSeconds": 60}), NOTICED)
        ANEW.fails(anew("an hour to start", {}, {"startupProbe": {"failureThreshold": 360}}), BEGINS_ANEW)
        ANEW.fails(anew("an hour to end", {"terminationGracePeriodSeconds": 3600}, {}), BEGINS_ANEW)
    for name, components in (subject.tiers or {"default": ()}).items():
        objects, _ = rendered(session, components=components)
        pod = pod_spec(workload(objects, subject.workload)) or {}
        agent = next(each for each in pod["containers"] if each["name"] == subject.container)
        SOON(noticed(f"tier {name}", agent.get("livenessProbe") or {}), NOTICED)
        ANEW(anew(f"tier {name}", pod, agent), BEGINS_ANEW)


@claim("probe-checks-the-right-thing")
@scope("image")
@pytest.mark.parametrize("mode", ["remote-control", "headless", "interactive", "api"])
def test_only_the_real_process_satisfies_the_probe(
    hanging: Hanging, modes: Modes, container: Containers, mode: str
) -> None:
    # remote control needs an account: there a stand-in is what the box has started
    box = started(modes(mode)) if mode == "remote-control" else hanging(mode)
    until(lambda: box.exec(LIVE).ok, timeout=60, what="the probe is satisfied")
    with control("while the mode's own program runs it is satisfied"):
        NOT_SATISFIED.fails(probed(mode, box.exec(LIVE)))
    for what, script in IMPOSTORS.items():
        other = container(entrypoint=["bash", "-c", script], environment={"CLAUDE_MODE": mode})
        NOT_SATISFIED(probed(f"{mode}: {what}", other.exec(LIVE)))


@claim("probe-checks-the-right-thing")
@scope("image")
@pytest.mark.parametrize("mode", ["remote-control", "headless", "interactive", "api"])
def test_no_variable_satisfies_the_probe(
    hanging: Hanging, modes: Modes, container: Containers, mode: str
) -> None:
    box = started(modes(mode)) if mode == "remote-control" else hanging(mode)
    until(lambda: box.exec(LIVE).ok, timeout=60, what="the probe is satisfied")
    names = variables(box)
    assert len(names) > len(USUAL), "no program of the box speaks of a variable"
    elsewhere = sorted({*names} - ADDRESS)  # what says where the service is leads the probe away from it
    with control("with the same variables it is satisfied where the program runs"):
        NEVER.fails(observe("satisfied with", "the program runs", satisfied(box, elsewhere)))
    dead = container(entrypoint=["sleep", "3600"], environment={"CLAUDE_MODE": mode})
    NEVER(observe("satisfied with", "nothing runs", satisfied(dead, elsewhere)))
    NEVER(observe("satisfied with", "nothing runs, all of them", satisfied(dead, names)))


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
    with control("a container whose CLI never ran is not healthy; one whose CLI runs is not unhealthy"):
        empty = container(
            entrypoint=["sleep", "3600"], environment={"CLAUDE_MODE": "headless"}, healthcheck=often
        )
        HEALTHY.fails(health(empty, "unhealthy"))
        UNHEALTHY.fails(health(hanging("headless", healthcheck=often), "healthy"))
    for name in ("STOP", "KILL"):
        box = hanging("headless", healthcheck=often)
        HEALTHY(health(box, "healthy"))
        assert to_clis(subject, box, name), "no process of the CLI was found"
        UNHEALTHY(health(box, "unhealthy"))


@claim("docker-healthcheck-works")
@scope("image")
def test_the_image_asks_often_enough(
    session: Session, docker: Any, image: ImageInfo, image_config: dict[str, Any]
) -> None:
    def noticed(asked: str, config: dict[str, Any]) -> float:
        """Return the seconds until failures add up to unhealthy, for ever without a test; an observation.

        An engine's interval begins where a look has ended: after its time-out, where what is asked hangs.
        """
        test = config.get("Healthcheck") or {}
        look = ((test.get("Interval") or 30e9) + (test.get("Timeout") or 30e9)) / 1e9
        seconds = look * (test.get("Retries") or 3)
        asks = bool(test.get("Test")) and test["Test"][0] != "NONE"
        return observe("seconds until it is noticed", asked, seconds if asks else float("inf"))

    for option in ("--interval=1h", "--timeout=1h"):
        with (
            control(f"an image that asks seldom, or waits for long: {option}"),
            configured(docker, [f"HEALTHCHECK {option} CMD true"], run=session.run) as made,
        ):
            SOON.fails(noticed(option, config_of(docker, made)), NOTICED)
    SOON(noticed(image.reference, image_config), NOTICED)


def health(box: LocalContainer, wanted: str) -> str:
    """Return what the engine says of a container's health, once it is ``wanted`` or the time is over."""

    def now() -> str:
        box.made.reload()
        return str(box.made.attrs["State"].get("Health", {}).get("Status", "none"))

    with suppress(DeadlineExceeded):
        until(lambda: now() in (wanted, "none"), timeout=60, every=0.5, what=f"health {wanted}")
    return str(observe("health", wanted, now()))


SELDOM_ASKED = {
    "turned off": {"test": ["NONE"]},
    "another question": {"test": ["CMD", "true"]},
    "asked once an hour": {"interval": 3600 * 10**9},
    "let off for an hour": {"start_period": 3600 * 10**9},
}


@dataclass(frozen=True)
class Asked:
    """What the engine asks a container, and the seconds until failures add up to unhealthy."""

    test: tuple[str, ...]
    seconds: float


def asked_of(label: str, box: LocalContainer) -> Asked:
    """Return what the engine asks a container, whatever its image says; an observation.

    What hangs while it runs is noticed after so many looks, each of which ends by its time-out; within the
    grace of its start nothing is, however short the looks are.
    """
    box.made.reload()
    found = box.made.attrs["Config"].get("Healthcheck") or {}
    spans = {"Interval": 30e9, "Timeout": 30e9, "StartPeriod": 0}
    interval, timeout, grace = ((found.get(each) or usual) / 1e9 for each, usual in spans.items())
    test = tuple(found.get("Test") or ())
    seconds = max(grace, (interval + timeout) * (found.get("Retries") or 3))
    return observe("asked", label, Asked(test, seconds if test[:1] not in ((), ("NONE",)) else float("inf")))


def seen_to_be_asked(container: Containers, image_config: dict[str, Any]) -> tuple[str, ...]:
    """Return what the image has the engine ask; a container that is asked otherwise is seen to be."""
    test = tuple((image_config.get("Healthcheck") or {}).get("Test") or ())
    with control("a container that is asked something else, nothing, or seldom"):
        for label, healthcheck in SELDOM_ASKED.items():
            other = container(entrypoint=["sleep", "3600"], healthcheck=healthcheck, start=False)
            ASKS.fails(asked_of(label, other), test, NOTICED)
    return test


@claim("docker-healthcheck-works")
@scope("image")
@needs("compose")
def test_no_compose_file_keeps_the_engine_from_asking(
    composed: Composed, container: Containers, engine: EngineInfo, subject: Subject,
    image_config: dict[str, Any],
) -> None:  # fmt: skip
    test = seen_to_be_asked(container, image_config)
    ASKS(asked_of(subject.compose.file, composed().created()), test, NOTICED)
    if subject.compose.socket:
        env = {"DOCKER_SOCKET": socket_of(engine), "DOCKER_GID": "1"}
        ASKS(asked_of(subject.compose.socket, composed(socket=True, env=env).created()), test, NOTICED)


@claim("docker-healthcheck-works")
@scope("image")
def test_nor_does_the_documented_command(
    documented: Documented, container: Containers, docker: Any, session: Session,
    image_config: dict[str, Any],
) -> None:  # fmt: skip
    test = seen_to_be_asked(container, image_config)
    made = docker.containers.get(documented("3600", entrypoint="sleep"))
    ASKS(asked_of("as documented", LocalContainer(docker, made, session.probe_image)), test, NOTICED)
