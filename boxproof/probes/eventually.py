"""A state that a check asks for: whether it comes is the answer, not when."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from pytest_claims.faults import DeadlineExceeded
from pytest_claims.waiting import until


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
