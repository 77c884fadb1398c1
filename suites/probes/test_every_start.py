"""What is asked of the box however it is started: by each tier's probes, by Compose, by commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from boxproof.agent import api_session
from boxproof.agent.login import FILE, credentials
from boxproof.core.session import Session
from boxproof.fixtures.agent_modes import LIVE, READY, Hanging, Modes, probed
from boxproof.fixtures.factories import Containers
from boxproof.kube.client import Object
from boxproof.probes.containers import LocalContainer, idle_program
from boxproof.probes.pressure import awaited, eventually
from boxproof.subject.manifests.pod_specs import agent, agent_container, labels
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites import agent_starts
from suites.probes.health_questions import by_options, command_of, left_of
from suites.probes.test_every_mode import at_work, of_mode, stopped
from suites.probes.test_liveness import ADDRESS, ASKS, NOT_SATISFIED, NOTICED, Asked
from suites.probes.test_readiness import NOT_LET_WORK
from suites.shipped_box import FULL

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
ASKS_MORE = require("readiness asks something else than liveness does", lambda found: found == [])
HEEDED = require(
    "no Service with an address sends clients to a pod that is not ready", lambda found: found == []
)
ANYTHING = ["sh", "-c", "/usr/local/bin/healthcheck live || true"]
SAME = {each: {"exec": {"command": ["healthcheck", "live"]}, "periodSeconds": 5} for each in PROBES[:2]}
SERVICES: Sequence[Mapping[str, Any]] = (
    {"disable": True}, {"test": ["NONE"]}, {"test": "true"}, {"interval": "1h"}, {"retries": 500},
)  # fmt: skip
COMMANDS = (
    ("--no-healthcheck",), ("--health-cmd", "true"), ("--health-cmd=none",), ("--health-interval=1h",),
    ("--health-retries", "500"),
)  # fmt: skip


def questions(
    session: Session, subject: Subject, *probes: str
) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Give what the probes of each tier run, or ask by other ways, and the variables that they have there."""
    for name, objects in agent_starts.tiers(session, subject):
        agent = agent_container(objects, subject)
        variables = dict(agent_starts.of_objects(name, objects, subject).variables)
        ports = {each["name"]: each["containerPort"] for each in agent.get("ports") or () if "name" in each}
        for probe in probes or PROBES:
            words = command_of(agent.get(probe) or {}, ports)
            if words:
                yield f"tier {name}, {probe}", list(words), variables


def by_mode(session: Session, subject: Subject, probe: str) -> dict[str, dict[tuple[str, ...], str]]:
    """Return the different commands by which tiers ask a probe, by the mode of the box there."""
    found: dict[str, dict[tuple[str, ...], str]] = {}
    for name, words, variables in questions(session, subject, probe):
        # where the service is does not differ here: it is where the box has it by itself
        given = [f"{each}={value}" for each, value in variables.items() if each not in ADDRESS]
        asked = found.setdefault(variables.get("CLAUDE_MODE") or subject.default_mode, {})
        if not any(each[-len(words) :] == tuple(words) for each in asked):
            asked["env", *given, *words] = name
    return found


@claim("probe-checks-the-right-thing")
@needs("default-tier")
@scope("image")
def test_what_each_tier_asks_fails_where_nothing_runs(
    session: Session, subject: Subject, container: Containers
) -> None:
    """A component may ask something else than the manifests that it changes, or let every answer pass."""
    dead = container(entrypoint=["sleep", "3600"])
    with control("what is let pass is satisfied where nothing runs"):
        NOT_SATISFIED.fails(probed("let pass", dead.exec(ANYTHING)))
    require.expected(NOT_SATISFIED)
    tried = dict[tuple[tuple[str, ...], str], str]()
    for name, words, variables in questions(session, subject):
        key = (tuple(words), variables.get("CLAUDE_MODE", ""))
        if key not in tried:
            given = [f"{each}={value}" for each, value in variables.items()]
            NOT_SATISFIED(probed(name, dead.exec(["env", *given, *words])))
        tried[key] = name


@claim("liveness-detects-dead-or-hung")
@needs("default-tier")
@scope("image")
def test_what_each_tier_asks_fails_where_its_program_hangs(
    session: Session, subject: Subject, hanging: Hanging, modes: Modes
) -> None:
    """A stopped program's connections are accepted, by the kernel: to be connected is no answer."""
    require.expected(NOT_SATISFIED)
    for mode, asked in by_mode(session, subject, "livenessProbe").items():
        box = at_work(hanging, modes, mode)
        with control(f"{mode}: while it runs the probe is satisfied"):
            for words, name in asked.items():
                NOT_SATISFIED.fails(probed(name, box.exec(words)))
        stopped(box, of_mode(box, subject, mode))
        for words, name in asked.items():
            fails = partial(lambda box, words: not box.exec(words).ok, box, words)
            eventually(fails, timeout=60, every=1, what="the probe fails")
            NOT_SATISFIED(probed(f"{name}, stopped", box.exec(words)))


def without_a_login(modes: Modes, subject: Subject, mode: str) -> LocalContainer:
    """Return the box alive in a mode, without a login."""
    if mode not in ("api", "interactive"):
        prompt = {"CLAUDE_PROMPT": "say ok"}
        box = modes(mode, login=False, environment=prompt).wait_log("No login")
    else:
        box = modes(mode, login=False, start=False, tty=mode == "interactive")
        box.put({subject.image.cli: (idle_program(), 0o755)})  # the probe looks which program it is that runs
        box = api_session.serve(box) if mode == "api" else box.start()
    awaited(lambda: box.exec(LIVE).ok, timeout=60, what="it lives")
    return box


@claim("readiness-reflects-auth")
@needs("default-tier")
@scope("image")
def test_what_each_tier_asks_does_not_let_it_work_without_a_login(
    session: Session, subject: Subject, modes: Modes
) -> None:
    """A component may ask something that is another question than liveness, and knows of no login."""
    require.expected(NOT_LET_WORK)
    file = f"{subject.config_dir}/{FILE}"
    for mode, asked in by_mode(session, subject, "readinessProbe").items():
        box = without_a_login(modes, subject, mode)
        for words, name in asked.items():
            NOT_LET_WORK(probed(f"{name}, no login", box.exec(words)))
        box.put({file: (credentials("another-stub-token", scopes=list(FULL)).encode(), 0o644)})
        awaited(lambda: box.exec(READY).ok, timeout=60, what="it is ready with a login")  # noqa: B023
        with control(f"{mode}: with a login it is let work"):
            for words, name in asked.items():
                NOT_LET_WORK.fails(probed(f"{name}, login", box.exec(words)))


def heedless(objects: Sequence[Object], subject: Subject) -> list[str]:
    """Return the Services that send clients to the agent's pod whether it is ready or not.

    One without an address of its own gives pods their names, and these they have from their start on.
    """
    own, found = labels(agent(objects, subject)), []
    for each in objects:
        spec = each.get("spec") or {}
        wanted = spec.get("selector") or {}
        ours = each["kind"] == "Service" and wanted and wanted.items() <= own.items()
        if ours and spec.get("publishNotReadyAddresses") and spec.get("clusterIP") != "None":
            found.append(str(each["metadata"]["name"]))
    return found


def the_same(name: str, agent: Mapping[str, Any]) -> list[str]:
    """Return a tier whose readiness asks what its liveness asks."""
    live, ready = (
        {key: each for key, each in (agent.get(probe) or {}).items() if key in HANDLERS}
        for probe in ("livenessProbe", "readinessProbe")
    )
    return [name] if live == ready else []


@claim("readiness-reflects-auth")
@needs("default-tier")
@scope("image")
def test_readiness_asks_more_than_liveness_in_every_tier(session: Session, subject: Subject) -> None:
    """One question has one answer: a box that lives without a login would be Ready without one.

    And no Service sends clients to a pod that is not.
    """

    def alike(asked: str, tiers: Mapping[str, Mapping[str, Any]]) -> list[str]:
        found = [each for name, agent in tiers.items() for each in the_same(name, agent)]
        return observe("tiers whose probes are alike", asked, found)

    def seen(asked: str, objects: Sequence[Object]) -> list[str]:
        return observe("Services that do not heed it", asked, heedless(objects, subject))

    made: list[tuple[str, list[Object]]] = list(agent_starts.tiers(session, subject))
    with control("two probes with the same command, and a Service that sends clients anyway, are seen"):
        ASKS_MORE.fails(alike("doctored", {"doctored": SAME}))
        spec = {"selector": labels(agent(made[0][1], subject)), "publishNotReadyAddresses": True}
        service: Object = {"kind": "Service", "metadata": {"name": "doctored"}, "spec": spec}
        HEEDED.fails(seen("doctored", [*made[0][1], service]))
    ASKS_MORE(alike("every tier", {name: agent_container(objects, subject) for name, objects in made}))
    for name, objects in made:
        HEEDED(seen(f"tier {name}", objects))


@claim("docker-healthcheck-works")
@needs("dockerfile")
@scope("image")
def test_nothing_that_ships_keeps_the_engine_from_asking(
    subject: Subject, image_config: dict[str, Any]
) -> None:
    """Neither a command of any page, nor a service of the box's in any Compose file."""
    test = tuple((image_config.get("Healthcheck") or {}).get("Test") or ())

    def told(name: str, said: Mapping[str, Any]) -> Asked:
        return observe("asked", name, Asked(*left_of(image_config, said)))

    with control("a service, and a command, that turn it off, ask something else or seldom"):
        for each in SERVICES:
            ASKS.fails(told(f"doctored: {each}", each), test, NOTICED)
        for options in COMMANDS:
            ASKS.fails(told(" ".join(options), by_options(options)), test, NOTICED)
    for name, service in agent_starts.services(subject):
        ASKS(told(name, service.get("healthcheck") or {}), test, NOTICED)
    for run in agent_starts.commands(subject):
        ASKS(told(f"{run.page}: {' '.join(run.options)}", by_options(run.options)), test, NOTICED)
