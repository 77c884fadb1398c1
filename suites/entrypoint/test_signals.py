"""TERM: who gets it, when it works, how long there is."""

from __future__ import annotations

from functools import partial
from signal import Signals
from typing import Any

import pytest

from boxproof.core.session import ImageInfo, Session
from boxproof.deployment.box import Box
from boxproof.fixtures.agent_modes import Modes, calls, started
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Containers, Twins
from boxproof.kube.client import Kube
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pressure import demand_speed, judged
from boxproof.probes.process.signals import Stop, stop
from boxproof.subject.image.entrypoint import scripts
from boxproof.subject.image.image_files import reader
from boxproof.subject.image.shell_traps import SOUND, Trap, fate
from pytest_claims import claim, control, observe, scope
from pytest_claims.waiting import holds
from suites.entrypoint import trap_recorder
from suites.entrypoint.pod_deletion import deletion

BOUND = 5.0  # seconds, the claim's own
KILLED = 137
EXAMPLE = "trap cleanup TERM\nexec sleep 3600\n"
SLOW = ["sh", "-c", "trap 'sleep 15; exit 0' TERM; sleep 3600 & wait"]


@claim("sigterm-graceful-5s")
@scope("image")
@pytest.mark.parametrize("mode", ["remote-control", "headless"])
def test_term_reaches_the_cli_and_ends_the_container(modes: Modes, container: Containers, mode: str) -> None:
    with control("a first process without a handler has to be killed"):
        deaf = stop(container(entrypoint=["sleep", "3600"]).made, timeout=1)
        assert not deaf.in_time
        assert deaf.code == KILLED

    def stopped() -> tuple[Stop, bool]:
        """Return how a fresh box ends, and whether its CLI was told to, before the box's own time was up."""
        box = started(modes(mode))
        found = stop(box.made, timeout=BOUND, exact=True)
        told = calls(box)[-1].told_to_end
        if not told:
            demand_speed("the CLI was not told to end in time")
        return found, told

    found, told = judged(stopped)
    assert found.in_time
    assert found.code != KILLED
    assert told


@claim("sigterm-graceful-5s")
@scope("image")
@pytest.mark.parametrize("mode", ["remote-control", "headless", "api", "without a login"])
def test_term_in_the_first_second_ends_the_container(modes: Modes, container: Containers, mode: str) -> None:
    with control("a first process without a handler has to be killed"):
        assert not stop(container(entrypoint=["sleep", "3600"]).made, timeout=1).in_time

    def stopped(delay: float) -> Stop:
        box = modes(mode) if mode != "without a login" else modes(None, login=False)
        box.takes(Signals.SIGTERM, within=1)
        holds(lambda: True, seconds=delay, every=delay / 2)
        return stop(box.made, timeout=BOUND, exact=True)

    for delay in (0.05, 0.1, 0.2, 0.4, 0.6, 0.9):
        found = judged(partial(stopped, delay))
        assert found.in_time, f"{delay} s"
        assert found.code != KILLED, f"{delay} s"


@claim("sigterm-graceful-5s")
def test_a_deleted_pod_ends_gracefully(make_box: MakeBox, twin: Twins, kube: Kube) -> None:
    with control("a pod whose first process has no handler is killed"):
        deaf = twin(fresh=True, command=["sleep", "infinity"], spec={"terminationGracePeriodSeconds": 1})
        assert deletion(kube, deaf.namespace, deaf.name).code == KILLED
    box = make_box()
    assert deletion(kube, box.namespace, box.pod, box.container).code != KILLED


@claim("grace-period-60")
def test_the_grace_period_is_at_least_60_s(box: Box, twin: Twins, kube: Kube) -> None:
    with control("a pod with a short grace period is seen as such"):
        short = twin(spec={"terminationGracePeriodSeconds": 5})
        assert observe("grace", short.name, grace(kube.get("Pod", short.name, short.namespace))) == 5
    assert observe("grace", box.pod, grace(box.pod_object())) >= 60


@claim("grace-period-60")
def test_a_shutdown_fits_the_grace_period(box: Box, modes: Modes, container: Containers) -> None:
    with control("an app that needs longer than it is given is killed, and ends by itself if given time"):
        assert not stop(trapping_soon(container).made, timeout=1).in_time
        assert stop(trapping_soon(container).made, timeout=60).in_time
    given = grace(box.pod_object())
    assert judged(lambda: stop(started(modes("headless")).made, timeout=given, exact=True)).in_time


def trapping_soon(container: Containers) -> LocalContainer:
    """Return an app that needs some seconds to end, once it would hear of it."""
    made = container(entrypoint=SLOW)
    made.takes(Signals.SIGTERM, within=30)
    return made


def grace(pod: dict[str, Any]) -> int:
    """Return a pod's grace period in seconds."""
    return int(pod["spec"]["terminationGracePeriodSeconds"])


def script(container: Containers, text: str) -> trap_recorder.Traps:
    """Return what becomes of the traps of a script that runs as PID 1."""
    put = {"/tmp/script": (trap_recorder.instrumented(text), 0o755)}
    made = container(
        entrypoint=["/tmp/script"], files=put, environment=trap_recorder.ENVIRONMENT, start=False
    )
    return trap_recorder.watch(made)


@claim("traps-are-live")
@scope("image")
def test_every_trap_of_the_start_path_runs(
    session: Session,
    docker: Any,
    image: ImageInfo,
    image_config: dict[str, Any],
    modes: Modes,
    container: Containers,
) -> None:
    with control(
        "a trap before exec or a foreground child never runs; beside a child that is waited for it does"
    ):
        for text, expected in trap_recorder.EXAMPLES.items():
            assert observe("fate", text, fate(text)) is expected
            assert bool(script(container, text).dead) is (expected is not Trap.LIVE)
    with reader(docker, image.reference, run=session.run) as read:
        found = scripts(image_config, read)
    for path, text in found.items():
        assert observe("fate", path, fate(text)) in SOUND, path
    copies = {path: (trap_recorder.instrumented(text), 0o755) for path, text in found.items()}
    for mode in ("remote-control", "headless"):
        box = modes(mode, environment=trap_recorder.ENVIRONMENT, start=False)
        box.put(copies)
        assert not trap_recorder.watch(box, calls).dead
