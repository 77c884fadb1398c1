"""Bounds in seconds that a claim states, on a machine that may be too busy to judge by them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from boxproof.core.process import run
from pytest_claims import pace, progress
from pytest_claims.faults import DeadlineExceeded, EnvironmentFault, SubjectFault
from pytest_claims.own_process import PROCESS
from pytest_claims.waiting import until

T = TypeVar("T")
TRIES = 3  # fresh subjects, where the machine left no judgement
HOPELESS = 6.0  # times slower than usual: seconds that the subject counts for itself may be too few here
QUICK = 1.0  # seconds in which a machine starts a program that leaves the subject its own few seconds
SLIPS = 2.0  # times a bound: what a machine may be late of which nothing else is known
STARTS = 3  # of which the slowest counts


class Look(threading.local):
    """The look that is under way at a subject in this thread: whether no other fresh one follows."""

    last = False


class Unjudged(EnvironmentFault):
    """A bound was passed on a machine that may be why: that says nothing of the subject."""


def explained(bound: float) -> float:
    """Return the seconds up to which a machine as slow as this one may be why a bound was passed."""
    return bound * max(SLIPS, pace.slowest())


def demand_speed(what: str) -> None:
    """Raise Unjudged if the machine has been hopelessly slow since ``judged`` began to look.

    For what the subject itself does in a time of its own, short of which ``what`` is not to be had.
    """
    if pace.slowest() >= HOPELESS:
        doubt(f"{what}, on a machine {pace.slowest():.0f} times slower than an idle one")


def doubt(what: str) -> None:
    """Raise Unjudged: the machine may be why. Not so for the last of several fresh subjects.

    What a subject does each time, the last time on a machine that starts programs quickly, is its own doing.
    """
    if not PROCESS.get(Look).last or start_seconds() > QUICK:
        raise Unjudged(what)


def awaited(look: Callable[[], T | None], *, timeout: float, what: str, every: float = 0.25) -> T:
    """Wait, as ``until`` does, for what the subject has to do by itself.

    Raises SubjectFault where it does not, and DeadlineExceeded on a machine that may be why.
    """
    try:
        return until(look, timeout=timeout, what=what, every=every)
    except DeadlineExceeded as late:
        if pace.slowest() >= HOPELESS or start_seconds() > QUICK:
            raise
        raise SubjectFault(late.message) from late


def start_seconds() -> float:
    """Return how many seconds this machine takes just now to start a program and to see its end."""
    return max(run(["true"], timeout=60).seconds for _ in range(STARTS))


def judged(look: Callable[[], T], *, tries: int = TRIES) -> T:
    """Return what ``look`` sees of a fresh subject, anew as long as the machine leaves no judgement.

    It is no second chance: an answer, good or bad, ends it. Raises the last Unjudged.
    """
    now = PROCESS.get(Look)
    before = now.last
    for left in range(tries - 1, -1, -1):
        pace.mark()
        now.last = not left and tries > 1
        try:
            return look()
        except Unjudged as busy:
            if not left:
                raise
            progress.say(f"{busy.message}: a fresh one is looked at", style="dim")
        finally:
            now.last = before
    raise ValueError(f"{tries} tries are no look")


def eventually(
    probe: Callable[[], object],
    *,
    timeout: float,
    what: str,
    every: float = 0.25,
    transient: tuple[type[Exception], ...] = (),
) -> bool:
    """Return whether ``probe`` comes to be true; ``timeout`` and ``every`` are seconds, as for ``until``.

    For a verdict: ``timeout`` is how long a right subject may take on a slow machine, it costs time where the
    state does not come alone. What ``probe`` raises, ``transient`` apart, is raised.
    """
    with suppress(DeadlineExceeded):
        return until(lambda: bool(probe()), timeout=timeout, what=what, every=every, transient=transient)
    return False
