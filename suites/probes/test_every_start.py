"""What is asked of the box however it is started: by each tier's probes, by Compose, by commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from boxproof.core.session import Session
from boxproof.fixtures.agent_modes import probed
from boxproof.fixtures.factories import Containers
from boxproof.kube.client import Object
from boxproof.subject.manifests.pod_specs import agent_container
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites import agent_starts
from suites.probes.health_questions import by_options, left_of
from suites.probes.test_liveness import ASKS, NOT_SATISFIED, NOTICED, Asked

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
ASKS_MORE = require("readiness asks something else than liveness does", lambda found: found == [])
ANYTHING = ["sh", "-c", "/usr/local/bin/healthcheck live || true"]
SAME = {each: {"exec": {"command": ["healthcheck", "live"]}, "periodSeconds": 5} for each in PROBES[:2]}
SERVICES: Sequence[Mapping[str, Any]] = (
    {"disable": True}, {"test": ["NONE"]}, {"test": "true"}, {"interval": "1h"}, {"retries": 500},
)  # fmt: skip
COMMANDS = (
    ("--no-healthcheck",), ("--health-cmd", "true"), ("--health-cmd=none",), ("--health-interval=1h",),
    ("--health-retries", "500"),
)  # fmt: skip


def questions(session: Session, subject: Subject) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Give what the probes of each tier run, and the variables that they have there."""
    for name, objects in agent_starts.tiers(session, subject):
        agent = agent_container(objects, subject)
        variables = dict(agent_starts.of_objects(name, objects, subject).variables)
        for probe in PROBES:
            words = ((agent.get(probe) or {}).get("exec") or {}).get("command")
            if words:
                yield f"tier {name}, {probe}", [str(each) for each in words], variables


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
    """One question has one answer: a box that lives without a login would be Ready without one."""

    def alike(asked: str, tiers: Mapping[str, Mapping[str, Any]]) -> list[str]:
        found = [each for name, agent in tiers.items() for each in the_same(name, agent)]
        return observe("tiers whose probes are alike", asked, found)

    with control("two probes with the same command are seen"):
        ASKS_MORE.fails(alike("doctored", {"doctored": SAME}))
    made: list[tuple[str, list[Object]]] = list(agent_starts.tiers(session, subject))
    ASKS_MORE(alike("every tier", {name: agent_container(objects, subject) for name, objects in made}))


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
