"""How an engine without a cluster has the box told to end: by Compose, and by the documented command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from boxproof.core.session import EngineInfo, Session
from boxproof.fixtures.compose_project import Composed, Documented, socket_of
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.entrypoint.test_signals import BOUND

pytestmark = [scope("image"), needs("box")]

ENGINES_OWN = 10.0  # seconds that an engine gives where nobody says how many
TERM = frozenset({"SIGTERM", "TERM", "15"})


@dataclass(frozen=True)
class Told:
    """By which signal an engine tells a container to end, and the seconds until it kills it."""

    signal: str
    seconds: float


BY_TERM = require(
    "it is told by TERM, and given the seconds that it may need",
    lambda found: found.signal in TERM and found.seconds >= BOUND,
)


def told(label: str, box: LocalContainer) -> Told:
    """Return how a container is told to end; an observation."""
    box.made.reload()
    config = box.made.attrs["Config"]
    seconds = config.get("StopTimeout")
    found = Told(config.get("StopSignal") or "SIGTERM", ENGINES_OWN if seconds is None else float(seconds))
    return observe("how it is told to end", label, found)


def another_way(container: Containers) -> None:
    """Show that a container which is killed at once, or told by another signal, is seen to be."""
    with control("a container that is killed, and one that is told by another signal"):
        for signal in ("SIGKILL", "SIGQUIT"):
            BY_TERM.fails(
                told(signal, container(entrypoint=["sleep", "3600"], stop_signal=signal, start=False))
            )


@claim("sigterm-graceful-5s")
@needs("compose")
def test_compose_has_it_told_by_term(
    composed: Composed, container: Containers, engine: EngineInfo, subject: Subject
) -> None:
    another_way(container)
    BY_TERM(told(subject.compose.file, composed().created()))
    if subject.compose.socket:
        env = {"DOCKER_SOCKET": socket_of(engine), "DOCKER_GID": "1"}
        BY_TERM(told(subject.compose.socket, composed(socket=True, env=env).created()))


@claim("sigterm-graceful-5s")
@needs("command:run")
def test_so_does_the_documented_command(
    documented: Documented, container: Containers, docker: Any, session: Session
) -> None:
    another_way(container)
    made = docker.containers.get(documented("3600", entrypoint="sleep"))
    BY_TERM(told("as documented", LocalContainer(docker, made, session.probe_image)))
