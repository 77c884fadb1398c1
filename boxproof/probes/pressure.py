"""Bounds in seconds that a claim states, on a machine that may be too busy to judge by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pytest_claims import pace, progress
from pytest_claims.faults import EnvironmentFault

T = TypeVar("T")
TRIES = 3  # fresh subjects, where the machine left no judgement
HOPELESS = 6.0  # times slower than usual: seconds that the subject counts for itself may be too few here


class Unjudged(EnvironmentFault):
    """A bound was passed on a machine that may be why: that says nothing of the subject."""


def demand_speed(what: str) -> None:
    """Raise Unjudged if the machine has been hopelessly slow since ``judged`` began to look.

    For what the subject itself does in a time of its own, short of which ``what`` is not to be had.
    """
    if pace.slowest() >= HOPELESS:
        raise Unjudged(f"{what}, on a machine {pace.slowest():.0f} times slower than an idle one")


def judged(look: Callable[[], T], *, tries: int = TRIES) -> T:
    """Return what ``look`` sees of a fresh subject, anew as long as the machine leaves no judgement.

    It is no second chance: an answer, good or bad, ends it. Raises the last Unjudged.
    """
    for left in range(tries - 1, -1, -1):
        pace.mark()
        try:
            return look()
        except Unjudged as busy:
            if not left:
                raise
            progress.say(f"{busy.message}: a fresh one is looked at", style="dim")
    raise ValueError(f"{tries} tries are no look")
