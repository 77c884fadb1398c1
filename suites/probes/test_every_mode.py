"""Health in the modes that are seldom looked at, and what else could pass for a program that works."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

import pytest

from boxproof.agent import api_session
from boxproof.agent.login import FILE, credentials
from boxproof.fixtures.agent_modes import LIVE, READY, Hanging, Modes, probed, started
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer, idle_program
from boxproof.probes.pressure import awaited, eventually
from boxproof.probes.processes import Process, descended, processes
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.waiting import until
from suites.probes.test_liveness import (
    ADDRESS,
    HEALTHY,
    NOT_SATISFIED,
    SERVICE,
    UNHEALTHY,
    USUAL,
    VALUES,
    health,
    names_of,
)
from suites.probes.test_readiness import LET_WORK, NOT_LET_WORK
from suites.shipped_box import FULL

pytestmark = scope("image")

SECOND = 10**9  # ns; the test is the image's own
OFTEN = {"interval": SECOND, "timeout": 60 * SECOND, "retries": 2, "start_period": 0}
NAME, WORD = re.compile(r"\b[A-Z][A-Z0-9_]{1,31}\b"), re.compile(r"\b[A-Za-z][a-z-]{1,15}\b")
PROGRAMS = "cat /usr/local/bin/healthcheck* /usr/local/lib/box/*.py; env | cut -d= -f1"
PROBES = "cat /usr/local/bin/healthcheck* /usr/local/lib/box/health.py"
MODE = "CLAUDE_MODE"
MORE_NAMES = ("HEALTHCHECK", "NO_HEALTHCHECK", "HEALTH", "PROBE", "PROBES", "LIVENESS", "TEST", "ENVIRONMENT")
MORE_VALUES = (
    "on",
    "off",
    "no",
    "false",
    "none",
    "never",
    "skip",
    "disable",
    "disabled",
    "test",
    "ok",
    "OFF",
)
LEADS_AWAY = ADDRESS | {"PATH", "TMPDIR", MODE}  # a program that runs is not found by them
# which values satisfy the probe, given to all of some variables at once
TRIED = """
import json, os, subprocess, sys
probe, names, values = json.loads(sys.argv[1])
for each in values:
    given = os.environ | dict.fromkeys(names, each)
    if subprocess.run(probe, env=given, capture_output=True).returncode == 0:
        print(each)
"""
NONE_OF_THEM = require("none of the words satisfies the probe", lambda values: values == [])


def of_mode(box: LocalContainer, subject: Subject, mode: str) -> list[Process]:
    """Return the processes of the program that a mode is about, whoever has started them."""
    name = SERVICE if mode == "api" else subject.image.cli.rpartition("/")[2]
    return [each for each in processes(box) if name in names_of(each.cmdline)]


def at_work(hanging: Hanging, modes: Modes, mode: str, **options: Any) -> LocalContainer:
    """Return the box in a mode once the probe is satisfied; where an account is needed, with a stand-in."""
    box = started(modes(mode, **options)) if mode == "remote-control" else hanging(mode, **options)
    awaited(lambda: box.exec(LIVE).ok, timeout=60, what="the probe is satisfied")
    return box


def stopped(box: LocalContainer, found: Collection[Process]) -> None:
    """Stop processes."""
    pids = [str(each.pid) for each in found]
    assert pids, "there is no process to stop"
    assert box.exec(["sh", "-c", 'kill -s STOP "$@"', "stop", *pids]).ok, "it cannot be stopped"


@claim("probe-checks-the-right-thing")
@pytest.mark.parametrize("mode", ["remote-control", "headless", "interactive"])
def test_one_more_process_of_the_cli_does_not_satisfy_the_probe(
    hanging: Hanging, modes: Modes, subject: Subject, mode: str
) -> None:
    """Who logs in, or asks something beside the agent, starts the very program: it is another's process."""
    box = at_work(hanging, modes, mode)
    program = subject.image.cli

    def own_and_others() -> tuple[list[Process], list[Process]]:
        below = {each.pid for each in descended(processes(box))}
        every = of_mode(box, subject, mode)
        return [each for each in every if each.pid in below], [
            each for each in every if each.pid not in below
        ]

    box.made.exec_run([program, "-p", "Wait."], detach=True)
    until(lambda: own_and_others()[1], timeout=60, what="another process of the CLI")
    with control("while the box's own process runs it is satisfied"):
        NOT_SATISFIED.fails(probed(f"{mode}, both run", box.exec(LIVE)))
    stopped(box, own_and_others()[0])
    eventually(lambda: not box.exec(LIVE).ok, timeout=60, every=1, what="the probe fails")
    until(lambda: own_and_others()[1], timeout=1, what="the other one runs still")
    NOT_SATISFIED(probed(f"{mode}, its own is stopped", box.exec(LIVE)))


def satisfied(box: LocalContainer, asked: str, names: Collection[str], values: Collection[str]) -> list[str]:
    """Return the values with which, given to all these variables, the probe is satisfied; an observation."""
    words = json.dumps([LIVE, sorted(names), sorted(values)])
    done = box.exec(["python3", "-c", TRIED, words])
    assert done.ok, done.stderr
    return observe("satisfied with", asked, done.stdout.splitlines())


@claim("probe-checks-the-right-thing")
def test_no_word_of_its_own_in_any_variable_satisfies_the_probe(
    hanging: Hanging, container: Containers
) -> None:
    """What a program compares a variable with stands in the program."""
    box = hanging("headless")
    until(lambda: box.exec(LIVE).ok, timeout=60, what="the probe is satisfied")
    names = {*NAME.findall(box.exec(["sh", "-c", PROGRAMS]).stdout), *USUAL, *MORE_NAMES}
    words = {*WORD.findall(box.exec(["sh", "-c", PROBES]).stdout), *VALUES, *MORE_VALUES}
    assert len(names) > len(USUAL) + len(MORE_NAMES), "no program of the box speaks of a variable"
    with control("with words in usual variables it is satisfied where the program runs"):
        NONE_OF_THEM.fails(satisfied(box, "the program runs", {*USUAL, *MORE_NAMES}, MORE_VALUES))
    for mode in ("remote-control", "interactive", "api"):
        dead = container(entrypoint=["sleep", "3600"], environment={MODE: mode})
        NONE_OF_THEM(satisfied(dead, f"{mode}, nothing runs", names - {"PATH", MODE}, words))
    NONE_OF_THEM(satisfied(dead, "any mode, nothing runs", {MODE}, words))


@claim("docker-healthcheck-works")
@pytest.mark.parametrize("mode", ["remote-control", "interactive", "api"])
def test_the_engine_sees_what_is_stopped_in_every_mode(
    hanging: Hanging, modes: Modes, container: Containers, subject: Subject, mode: str
) -> None:
    def told(number: str) -> LocalContainer:
        """Start a container whose health is what a command of ours makes of ``number``."""
        asked = OFTEN | {"test": ["CMD", "sleep", number]}
        return container(entrypoint=["sleep", "3600"], environment={MODE: mode}, healthcheck=asked)

    with control("where a command of ours fails the engine sees it, and where it does not"):
        HEALTHY.fails(health(told("no number"), "unhealthy"))
        UNHEALTHY.fails(health(told("0"), "healthy"))
    box = at_work(hanging, modes, mode, healthcheck=OFTEN)
    HEALTHY(health(box, "healthy"))
    stopped(box, of_mode(box, subject, mode))
    UNHEALTHY(health(box, "unhealthy"))


@claim("readiness-reflects-auth")
@pytest.mark.parametrize("mode", ["api", "interactive"])
def test_readiness_follows_the_login_in_a_mode_that_does_not_wait_for_it(
    modes: Modes, subject: Subject, mode: str
) -> None:
    file = f"{subject.config_dir}/{FILE}"
    box = modes(mode, login=False, start=False, tty=mode == "interactive")
    box.put({subject.image.cli: (idle_program(), 0o755)})  # the probe looks which program it is that runs
    if mode == "api":
        api_session.serve(box)
    else:
        box.start()
    until(lambda: box.exec(LIVE).ok, timeout=60, what="it lives")
    found = NOT_LET_WORK(probed(f"{mode}, no login", box.exec(READY)))
    with control("without a login it is not let work"):
        LET_WORK.fails(observe("probe", f"{mode}, no login", found))
    gone = {
        "lost": "",
        "cut off": '{"claudeAiOauth": {"acc',
        "run out": credentials("t", expires_in=-60, refreshToken=None, scopes=list(FULL)),
    }
    for what, text in gone.items():
        box.put({file: (credentials("another-stub-token", scopes=list(FULL)).encode(), 0o644)})
        eventually(lambda: box.exec(READY).ok, timeout=60, what="it is ready with a login")
        found = LET_WORK(probed(f"{mode}, login", box.exec(READY)))
        with control("with one it is"):
            NOT_LET_WORK.fails(observe("probe", f"{mode}, login", found))
        box.put({file: (text.encode(), 0o644)})
        eventually(lambda: not box.exec(READY).ok, timeout=60, what="it is not ready")
        NOT_LET_WORK(probed(f"{mode}, login {what}", box.exec(READY)))
