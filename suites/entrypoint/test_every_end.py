"""However the box is started: what first process it has, and how it is told to end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from boxproof.core.session import Session
from boxproof.subject.manifests.pod_specs import agent, agent_container, pod_spec
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites import agent_starts
from suites.entrypoint import told_ends
from suites.entrypoint.test_compose_starts import BOTH, REAPS, First
from suites.entrypoint.test_signals import BOUND
from suites.entrypoint.told_ends import TERM, End

TOLD_SOON = require(
    "it is told by TERM, soon enough to end within 5 s, and not killed before",
    lambda found: found.signal in TERM and found.before < BOUND and found.seconds >= found.before + BOUND,
)
HOOKS: tuple[dict[str, Any], ...] = (
    {"preStop": {"exec": {"command": ["sh", "-c", "sleep 15"]}}},
    {"preStop": {"sleep": {"seconds": 10}}},
    {"stopSignal": "SIGKILL"},
)
SERVICES = {"stop_signal": "SIGQUIT"}, {"stop_grace_period": "1s"}
COMMANDS = ("--stop-signal", "SIGKILL"), ("--stop-timeout=1",)


def ends(session: Session, subject: Subject) -> Iterator[tuple[str, End]]:
    """Give each way of starting the box, and how it ends there."""
    for name, objects in agent_starts.tiers(session, subject):
        pod = pod_spec(agent(objects, subject)) or {}
        yield f"tier {name}", told_ends.of_pod(pod, agent_container(objects, subject))
    for name, service in agent_starts.services(subject):
        yield name, told_ends.of_service(service)
    for run in agent_starts.commands(subject):
        yield f"{run.page}: {' '.join(run.options)}", told_ends.of_options(run.options)


@claim("sigterm-graceful-5s")
@needs("box", "default-tier")
@scope("image")
def test_nothing_that_ships_has_it_told_late_or_otherwise(session: Session, subject: Subject) -> None:
    """No hook of a component, no Compose file, no command of any page."""

    def told(asked: str, found: End) -> End:
        return observe("how it ends", asked, found)

    with control("a hook that sleeps, another signal, and a second to end, are seen, whoever says so"):
        for lifecycle in HOOKS:
            TOLD_SOON.fails(told(f"doctored {lifecycle}", told_ends.of_pod({}, {"lifecycle": lifecycle})))
        for service in SERVICES:
            TOLD_SOON.fails(told(f"doctored {service}", told_ends.of_service(service)))
        for options in COMMANDS:
            TOLD_SOON.fails(told(" ".join(options), told_ends.of_options(options)))
    for name, found in ends(session, subject):
        TOLD_SOON(told(name, found))


@claim("zombies-reaped")
@needs("box", "default-tier")
@scope("image")
def test_every_tier_leaves_an_init_ahead_of_the_box(
    session: Session, subject: Subject, image_config: dict[str, Any]
) -> None:
    """Its command is in the place of the image's, init and all; a pod of one space of processes has one."""
    own = tuple(image_config.get("Entrypoint") or ())

    def first(asked: str, pod: dict[str, Any], container: dict[str, Any]) -> First:
        words = tuple(str(each) for each in container.get("command") or own)
        return observe("what is started", asked, First(words, bool(pod.get("shareProcessNamespace"))))

    with control("a shell, and the box's own script with nothing ahead of it, are seen"):
        for words in BOTH:
            REAPS.fails(first(f"doctored {words}", {}, {"command": words}), own)
    for name, objects in agent_starts.tiers(session, subject):
        pod = pod_spec(agent(objects, subject)) or {}
        REAPS(first(f"tier {name}", pod, agent_container(objects, subject)), own)
