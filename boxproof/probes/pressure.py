"""What a bound in seconds is worth on this machine just now: the time in which it gave all that was asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from boxproof import log
from boxproof.errors import EnvironmentFault

T = TypeVar("T")
PRESSURE = Path("/proc/pressure")  # the kernel's own account of who had to wait: Documentation/accounting/psi
RESOURCES = ("cpu", "io", "memory")
TRIES = 3  # fresh subjects, where the machine left no judgement


class Unjudged(EnvironmentFault):
    """A bound was passed while programs of the machine waited for it: that says nothing of the subject."""


def stalled(where: Path = PRESSURE) -> float:
    """Return the seconds since boot in which some program waited for the machine, 0 if they are not counted.

    A wait for two resources at once counts twice: it is never less than any one program's.
    """
    total = 0
    for name in RESOURCES:
        try:
            lines = (where / name).read_text().splitlines()
        except OSError:
            continue
        some = next((each for each in lines if each.startswith("some ")), "some total=0")
        total += int(some.rpartition("total=")[2])
    return total / 1e6


class Watch:
    """A stopwatch of two times: ``elapsed`` on the wall, ``own`` without what the machine kept waiting."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, lost: Callable[[], float] = stalled
    ) -> None:
        self._now = now
        self._lost = lost
        self._began, self._before = now(), lost()

    @property
    def elapsed(self) -> float:
        """Seconds since it was made."""
        return self._now() - self._began

    @property
    def waited(self) -> float:
        """Seconds of these in which some program waited for the machine."""
        return self._lost() - self._before

    @property
    def own(self) -> float:
        """Seconds of these in which nobody did: a subject had at least so many to itself."""
        return max(0.0, self.elapsed - self.waited)


def judged(look: Callable[[], T], *, tries: int = TRIES) -> T:
    """Return what ``look`` sees of a fresh subject, anew as long as the machine leaves no judgement.

    It is no second chance: an answer, good or bad, ends it. Raises the last Unjudged.
    """
    for left in range(tries - 1, 0, -1):
        try:
            return look()
        except Unjudged as busy:
            log.say(f"{busy.message}; {left} more", style="dim")
    return look()
