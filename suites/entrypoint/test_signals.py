"""TERM: who gets it, when it works, how long there is."""

from __future__ import annotations

from functools import partial
from signal import Signals
from typing import Any

import pytest

from boxproof.agent import api_session
from boxproof.core.session import ImageInfo, Session
from boxproof.deployment.box import Box
from boxproof.deployment.deploy import COMPONENTS, rendered
from boxproof.fixtures.agent_modes import Modes, calls, started
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Containers, Twins
from boxproof.kube.client import Kube
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pods.probe_pods import PROGRAM
from boxproof.probes.pressure import demand_speed, doubt, explained, judged
from boxproof.probes.signals import Stop, stop
from boxproof.stubs import claude_cli
from boxproof.subject.image.entrypoint import SOUND, Trap, fate, scripts
from boxproof.subject.image.image_files import reader
from boxproof.subject.manifests.pod_specs import agent, pod_spec
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.waiting import holds
from suites.entrypoint import trap_recorder
from suites.entrypoint.pod_deletion import Deletion, deletion
from suites.entrypoint.told_ends import least_grace
from suites.shipped_box import Shipped

BOUND = 5.0  # seconds, the claim's own
LEAST_GRACE = 60  # seconds, the claim's own
KILLED = 137
LINGERS = 9  # seconds that a pod of ours takes to end
SLOW = ["sh", "-c", "trap 'sleep 15; exit 0' TERM; sleep 3600 & wait"]
DEAF = claude_cli.STAYS.replace(b"trap 'note TERM; exit 0' TERM", b"trap 'note TERM' TERM").replace(
    b"wait $!", b"while :; do wait; sleep 0.1; done"
)

STOPS = require("it has ended in time, and not by KILL", lambda found: found.in_time and found.code != KILLED)
TOLD = require("the CLI was told to end", lambda told: told)
NOT_KILLED = require("the pod's container did not end by KILL", lambda found: found.code != KILLED)
WITHIN_5_S = require("the pod's container has ended within 5 s", lambda found: found.seconds <= BOUND)
LONG_GRACE = require("the grace period is 60 s or more", lambda seconds: seconds >= LEAST_GRACE)
FITS = require("it ends by itself in {} s", lambda found, seconds: found.in_time and found.seconds < seconds)
SHORTER = require("what it took is less than the grace period", lambda found: found[0] < found[1])
SOUND_TRAPS = require("each trap of the text can run", lambda found: found in SOUND)
NO_DEAD_TRAP = require("each trap that was set has run", lambda found: not found.dead)


def ending(box: LocalContainer, seconds: float) -> tuple[Stop, bool]:
    """Return how it ends, and whether its CLI was told to, before the box's own time was up."""
    found = stop(box.made, timeout=seconds, exact=True)
    return found, observe("the CLI was told", box.label, calls(box)[-1].told_to_end)


def told_in_time(box: LocalContainer) -> tuple[Stop, bool]:
    """Return ``ending`` within the bound; raises Unjudged where a slow machine may be why none was told."""
    found, told = ending(box, BOUND)
    if not told:
        demand_speed("the CLI was not told to end in time")
    return found, told


def show_untold(container: Containers, subject: Subject) -> None:
    """Show that a CLI that is told nothing, and a container that has to be killed, are seen as such."""
    program = subject.image.cli
    put = {program: (claude_cli.STAYS, 0o755)}
    found, told = ending(started(container(files=put, entrypoint=["sh", "-c", f"{program}; true"])), 1)
    STOPS.fails(found)
    TOLD.fails(told)


@claim("sigterm-graceful-5s")
@scope("image")
@pytest.mark.parametrize("mode", ["remote-control", "headless", "interactive"])
def test_term_reaches_the_cli_and_ends_the_container(
    modes: Modes, container: Containers, subject: Subject, mode: str
) -> None:
    with control("below a shell without a trap the program is told nothing, and all has to be killed"):
        show_untold(container, subject)
    found, told = judged(lambda: told_in_time(started(modes(mode, tty=mode == "interactive"))))
    STOPS(found)
    TOLD(told)


@claim("sigterm-graceful-5s")
@scope("image")
@pytest.mark.parametrize("mode", ["remote-control", "headless", "api", "without a login"])
def test_term_in_the_first_second_ends_the_container(modes: Modes, container: Containers, mode: str) -> None:
    with control("a first process without a handler has to be killed"):
        STOPS.fails(stop(container(entrypoint=["sleep", "3600"]).made, timeout=1))

    def stopped(delay: float) -> Stop:
        box = modes(mode) if mode != "without a login" else modes(None, login=False)
        box.takes(Signals.SIGTERM, within=1)
        holds(lambda: True, seconds=delay, every=delay / 2)
        return stop(box.made, timeout=BOUND, exact=True)

    for delay in (0.05, 0.1, 0.2, 0.4, 0.6, 0.9):
        STOPS(judged(partial(stopped, delay)))


def in_time(kube: Kube, box: Box) -> Deletion:
    """Return how the pod of a box ends; raises Unjudged where a slow machine may be why it was late."""
    found = deletion(kube, box.namespace, box.pod, box.container)
    if BOUND < found.seconds <= explained(BOUND):
        doubt(f"it ended after {found.seconds:.0f} s, on a machine that is slow just now")
    return found


def show_late_and_killed(kube: Kube, twin: Twins) -> None:
    """Show that a pod that is killed, and one whose preStop hook takes its time, are seen as such."""
    deaf = twin(fresh=True, command=["sleep", "infinity"], spec={"terminationGracePeriodSeconds": 1})
    NOT_KILLED.fails(deletion(kube, deaf.namespace, deaf.name))
    lingers = {"preStop": {"exec": {"command": ["sleep", str(LINGERS)]}}}
    late = {
        "name": "probe",
        "image": twin.session.probe_image,
        "command": [PROGRAM, "idle"],
        "lifecycle": lingers,
    }
    slow = twin(fresh=True, spec={"containers": [late], "terminationGracePeriodSeconds": 60})
    WITHIN_5_S.fails(deletion(kube, slow.namespace, slow.name))


@claim("sigterm-graceful-5s")
def test_a_deleted_pod_ends_gracefully(make_box: MakeBox, twin: Twins, kube: Kube) -> None:
    with control("a pod that is killed, and one that takes 9 s"):
        show_late_and_killed(kube, twin)
    found = judged(lambda: in_time(kube, make_box()))
    NOT_KILLED(found)
    WITHIN_5_S(found)


@claim("sigterm-graceful-5s")
def test_the_deleted_box_as_shipped_tells_its_cli_and_ends(shipped: Shipped, twin: Twins, kube: Kube) -> None:
    def told(box: Box) -> bool:
        return observe("the CLI was told", box.pod, any(each.told_to_end for each in shipped.calls(box)))

    def deleted() -> tuple[Box, Deletion]:
        box = shipped()
        shipped.called(box)
        with control("before it is deleted the CLI was told nothing"):
            TOLD.fails(told(box))
        old = box.pod_object()["metadata"]["uid"]
        found = in_time(kube, box)
        box.wait_ready(after=old)
        return box, found

    with control("a pod that is killed, and one that takes 9 s"):
        show_late_and_killed(kube, twin)
    box, found = judged(deleted)
    NOT_KILLED(found)
    WITHIN_5_S(found)
    TOLD(told(box))


def grace(asked: str, spec: dict[str, Any], container: str = "") -> int:
    """Return the least grace period of a pod's container in seconds, Kubernetes' own where none is named.

    An observation. A liveness probe may name a shorter one than its pod.
    """
    return observe("grace period", asked, int(least_grace(spec, container)))


@claim("grace-period-60")
def test_the_grace_period_is_at_least_60_s(box: Box, twin: Twins, kube: Kube) -> None:
    with control("a pod with a short grace period is seen as such"):
        short = twin(spec={"terminationGracePeriodSeconds": 59})
        LONG_GRACE.fails(grace(short.name, kube.get("Pod", short.name, short.namespace)["spec"]))
    LONG_GRACE(grace(box.pod, box.pod_object()["spec"], box.container))


@claim("grace-period-60")
@needs("default-tier")
def test_so_is_that_of_every_tier(session: Session, subject: Subject) -> None:
    probe = {"livenessProbe": {"terminationGracePeriodSeconds": 5}}
    hasty = {"terminationGracePeriodSeconds": LEAST_GRACE, "containers": [probe]}
    with control("a pod that says nothing has 30 s, and one whose probe says 5 s has these"):
        LONG_GRACE.fails(grace("says nothing", {}))
        LONG_GRACE.fails(grace("its probe says 5 s", hasty))
    for name, components in (subject.tiers or {"default": ()}).items():
        for each in (components, (*COMPONENTS, *components)):
            objects, _ = rendered(session, components=each)
            pod = pod_spec(agent(objects, subject)) or {}
            LONG_GRACE(grace(f"tier {name}", pod, subject.container))


@claim("grace-period-60")
@scope("image")
@pytest.mark.parametrize("mode", ["remote-control", "headless", "api"])
def test_a_shutdown_fits_the_grace_period(modes: Modes, container: Containers, mode: str) -> None:
    """Also that of a CLI that does not listen."""
    with control("an app that needs 15 s does not end by itself in one"):
        slow = container(entrypoint=SLOW)
        slow.takes(Signals.SIGTERM, within=30)
        FITS.fails(stop(slow.made, timeout=1), 1)

    def stopped() -> Stop:
        if mode == "api":
            served = api_session.serve(modes(mode, start=False))
            return stop(served.made, timeout=LEAST_GRACE, exact=True)
        box = modes(mode, start=False)
        box.put({modes.subject.image.cli: (DEAF, 0o755)})
        return stop(started(box.start()).made, timeout=LEAST_GRACE, exact=True)

    FITS(judged(stopped), LEAST_GRACE)


@claim("grace-period-60")
def test_the_measured_end_of_the_pod_is_shorter_than_its_grace_period(
    make_box: MakeBox, twin: Twins, kube: Kube
) -> None:
    def measured(asked: str, namespace: str, pod: str) -> tuple[float, int]:
        given = int(kube.get("Pod", pod, namespace)["spec"]["terminationGracePeriodSeconds"])
        return observe(
            "seconds it took, and was given", asked, (deletion(kube, namespace, pod).seconds, given)
        )

    with control("a pod without a handler takes all that it is given"):
        deaf = twin(fresh=True, command=["sleep", "infinity"], spec={"terminationGracePeriodSeconds": 3})
        SHORTER.fails(measured("a twin", deaf.namespace, deaf.name))
    box = make_box()
    SHORTER(measured("the box", box.namespace, box.pod))


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
            seen, ran = observe("fate", text, fate(text)), script(container, text)
            assert seen is expected
            if expected is Trap.LIVE:
                assert not ran.dead
            else:
                SOUND_TRAPS.fails(seen)
                NO_DEAD_TRAP.fails(ran)
    with reader(docker, image.reference, run=session.run) as read:
        found = scripts(image_config, read)
    for path, text in found.items():
        SOUND_TRAPS(observe("fate", path, fate(text)))
    copies = {path: (trap_recorder.instrumented(text), 0o755) for path, text in found.items()}
    for mode in ("remote-control", "headless"):
        box = modes(mode, environment=trap_recorder.ENVIRONMENT, start=False)
        box.put(copies)
        NO_DEAD_TRAP(trap_recorder.watch(box, calls))
