"""The steps of a run in their order, and about how long each takes here: as the last time, or as shipped."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from boxproof.core.own_project import of
from boxproof.core.settings import Settings
from boxproof.host import machine
from pytest_claims import progress
from pytest_claims.concurrency import scheduling

INPUTS, ENGINE, LOCK, MODULES = "inputs", "engine", "package lock", "modules to compile from"
NODE_IMAGE, CLUSTER, PROBES, BOX_IMAGE = "node image", "cluster", "probe and stub images", "box image"
LOAD, CANARY, STUB, INSTANCE = (
    "load images into the nodes",
    "policy canary",
    "stub of the API",
    "first instance",
)
HOME, CHECKS, CLEAN_UP = "a namespace, and the images in it", "checks", "clean up"
FIRST = (INPUTS, ENGINE, LOCK, MODULES)
OF_A_CLUSTER = (
    *FIRST, NODE_IMAGE, CLUSTER, PROBES, BOX_IMAGE, LOAD, CANARY, STUB, INSTANCE, CHECKS, CLEAN_UP,
)  # fmt: skip
OF_AN_IMAGE = (ENGINE, LOCK, PROBES, BOX_IMAGE, CHECKS, CLEAN_UP)
OF_A_GUEST = (BOX_IMAGE, INSTANCE, CHECKS, CLEAN_UP)
TIMED_ON = 2  # processors, quiet ones: all figures here
USUAL = {ENGINE: 23.0, CLUSTER: 34.0, PROBES: 33.0, BOX_IMAGE: 28.0, LOAD: 34.0, INSTANCE: 9.0}  # seconds
ALL_CHECKS = 1920.0  # seconds
PROGRAM, ROOT = 42.0, 120.0  # seconds: a program from Go modules, a root of Debian packages
BUILD = {NODE_IMAGE, BOX_IMAGE}  # they take long where something is compiled, and no time where nothing is


def of_context(settings: Settings) -> tuple[str, ...]:
    """Return the steps of a run in a cluster that exists."""
    return (
        *FIRST,
        PROBES,
        BOX_IMAGE,
        context(settings.context),
        HOME,
        STUB,
        CANARY,
        INSTANCE,
        CHECKS,
        CLEAN_UP,
    )


def context(name: str) -> str:
    """Return the name of the step that looks at a cluster that exists."""
    return f"cluster of the context {name}"


def pace() -> float:
    """Return how much longer work takes here than on the processors it was timed on."""
    return max(TIMED_ON / max(machine.cpus(), 1), 0.5)  # API server and kubelets do not get faster


def begin(settings: Settings, stage: str, *, guest: bool = False, instead: str = CHECKS) -> None:
    """Have the steps of a run numbered, each with about how long it and those after it take.

    ``instead`` is what a run does in the place of the checks.
    """
    own = of_context(settings) if settings.context else OF_A_CLUSTER
    alone = {"static": (CHECKS, CLEAN_UP), "image": OF_AN_IMAGE}
    chosen = OF_A_GUEST if guest else alone.get(stage, own)
    progress.plan([instead if each == CHECKS else each for each in chosen])
    known = scheduling.steps(settings.state)
    progress.expect(known)
    progress.foresee({name: seconds * pace() for name, seconds in USUAL.items() if name not in known})
    if settings.claims or CHECKS not in known:
        progress.foresee({CHECKS: _checks(settings, known)})


def foresee(known: Mapping[str, float], compiled: Mapping[str, int], roots: int) -> None:
    """Say how long the steps take that build, by how many programs each has yet to compile.

    What such a step took the last time tells nothing of one that finds all in the cache, or nothing there.
    """
    for name in BUILD:
        usual = USUAL.get(name, 0.0) * pace()
        least = min(known.get(name, usual), usual)
        work = compiled.get(name, 0) * PROGRAM + (roots * ROOT if name == NODE_IMAGE else 0.0)
        progress.foresee({name: least + work * pace()})


def _checks(settings: Settings, known: Mapping[str, float]) -> float:
    """Return the seconds of the checks of the selected claims: their share of what all took."""
    every = known.get(CHECKS, ALL_CHECKS * pace())
    claims = of(settings.subject)
    return every * len(claims.select(settings.claims)) / max(len(claims.claims()), 1)


@contextmanager
def checks(settings: Settings, *, all_of_them: bool) -> Iterator[None]:
    """Announce the checks, which tell themselves how far they are; what all took is known the next time."""
    progress.reach(CHECKS)
    begun = time.monotonic()
    yield
    if all_of_them:
        scheduling.learn_steps(settings.state, {CHECKS: round(time.monotonic() - begun, 2)})
