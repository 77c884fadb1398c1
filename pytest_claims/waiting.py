"""The one place that waits: a deadline for each state, an early end on a terminal one.

Deadlines grow with the machine's slowness (``pace``). One that is part of a claim's sentence must
not: it is judged by the subject's own times, or is ``exact``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import tenacity

from pytest_claims.faults import DeadlineExceeded
from pytest_claims.own_process import still_wanted
from pytest_claims.pace import Deadline

T = TypeVar("T")


class NotYet(Exception):
    """Raised by a probe whose state has not come; its text is shown when the deadline passes."""


def until(
    probe: Callable[[], T | None],
    *,
    timeout: float,
    what: str,
    every: float = 0.25,
    transient: tuple[type[Exception], ...] = (),
    hint: str = "",
    exact: bool = False,
) -> T:
    """Call ``probe`` until it returns something true, and return that.

    ``timeout`` and ``every`` are seconds; unless it is ``exact``, the former is stretched while the
    machine is slow. A probe says "not yet" by a false value or NotYet; any other exception outside
    ``transient`` ends the wait at once. Raises DeadlineExceeded with the last state seen.
    """
    last = "nothing"
    deadline = Deadline(timeout, exact=exact)
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
        stop=lambda _: deadline.passed,
        wait=tenacity.wait_fixed(every),
    )
    try:
        return retrying(attempt)
    except tenacity.RetryError:
        message = f"{what}: not within {deadline}; last seen: {last}"
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


def again(attempt: Callable[[], T], *, tries: int, pause: float, transient: tuple[type[Exception], ...]) -> T:
    """Call ``attempt`` until it raises none of ``transient``, at most ``tries`` times, and return its value.

    The pauses between, in seconds, double from ``pause``. For a fetch, never for a verdict. Raises what
    the last call raised.
    """
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(transient),
        stop=tenacity.stop_after_attempt(tries),
        wait=tenacity.wait_exponential(multiplier=pause),
        reraise=True,
    )
    return retrying(attempt)
