"""The one place that waits: a deadline for each state, an early end on a terminal one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import tenacity

from boxproof.errors import DeadlineExceeded
from boxproof.run import still_wanted

T = TypeVar("T")


class NotYet(Exception):
    """Raised by a probe whose state has not come; its text is shown when the deadline passes."""


def until(
    probe: Callable[[], T],
    *,
    timeout: float,
    what: str,
    every: float = 0.25,
    transient: tuple[type[Exception], ...] = (),
    hint: str = "",
) -> T:
    """Call ``probe`` until it returns something true, and return that.

    ``timeout`` and ``every`` are seconds. A probe says "not yet" by a false value or NotYet; any
    other exception outside ``transient`` ends the wait at once. Raises DeadlineExceeded with the
    last state seen.
    """
    last = "nothing"
    waited: tuple[type[Exception], ...] = (NotYet, *transient)

    def attempt() -> T:
        nonlocal last
        still_wanted()
        try:
            value = probe()
        except waited as reason:
            last = str(reason) or type(reason).__name__
            raise NotYet(last) from reason
        if not value:
            last = repr(value)
            raise NotYet(last)
        return value

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(NotYet),
        stop=tenacity.stop_after_delay(timeout),
        wait=tenacity.wait_fixed(every),
    )
    try:
        return retrying(attempt)
    except tenacity.RetryError:
        message = f"{what}: not within {timeout:.0f} s; last seen: {last}"
        raise DeadlineExceeded(message, hint=hint) from None


def holds(probe: Callable[[], bool], *, seconds: float, every: float = 0.25) -> bool:
    """Return whether ``probe`` stays true for ``seconds``; at least two looks are taken."""
    end = time.monotonic() + seconds
    looks = 0
    while looks < 2 or time.monotonic() < end:
        if not probe():
            return False
        looks += 1
        time.sleep(every)
    return True
