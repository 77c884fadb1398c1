"""HTTPS to a name: how it is reached, who answers there, and what a proxy on the way says."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from boxproof.probes.probe_program import ANSWER, Prober, ask
from boxproof.probes.reach import Reach
from pytest_claims import pace
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.recording.observations import record
from pytest_claims.waiting import until

WITHIN = 5.0  # seconds
ANSWERS = 60.0  # seconds in which who must answer comes to
PORT = 443
TUNNEL = 200
FORBIDDEN = 403


@dataclass(frozen=True)
class Https:
    """How a request ended.

    ``reach`` is about the first hop: the proxy, where there is one. ``proxy`` is what that said about the
    name (0: there is none), ``verified`` whether the certificate is the authority's, for this name.
    """

    reach: Reach
    proxy: int = 0
    verified: bool = False
    status: int = 0
    issuer: str = ""

    @property
    def ok(self) -> bool:
        """Whether the right one answered."""
        return self.reach is Reach.OPEN and self.proxy in (0, TUNNEL) and self.verified and self.status > 0

    @property
    def refused(self) -> bool:
        """Whether it got nowhere: the first hop denied, or the proxy that forbids the name."""
        return self.reach in (Reach.REFUSED, Reach.FILTERED) or self.proxy == FORBIDDEN


def https(
    source: Prober,
    name: str,
    *,
    authority: str,
    via: str = "",
    port: int = PORT,
    path: str = "/",
    within: float = WITHIN,
) -> Https:
    """Ask for ``path`` of ``name``; ``authority`` is PEM, ``via`` the URL of a proxy, ``within`` seconds.

    The seconds are more on a slow machine. Raises EnvironmentFault if the probe breaks.
    """
    limit = pace.stretched(within)
    words = ["https", name, str(port), "--path", path, "--authority", authority, "--within", str(limit)]
    answer = ask(source, *words, *(["--via", via] if via else []), timeout=3 * limit + ANSWER)
    found = Https(
        Reach(answer["reach"]),
        int(answer.get("proxy", 0)),
        bool(answer.get("verified")),
        int(answer.get("status", 0)),
        str(answer.get("issuer", "")),
    )
    record("https", f"{source.label} -> {name}:{port} {f'via {via}' if via else 'direct'}", found)
    return found


def right(found: Https) -> bool:
    """Return whether the right one answered."""
    return found.ok


def proxied(found: Https) -> bool:
    """Return whether a proxy said something about the name."""
    return found.proxy != 0


def named(found: Https) -> bool:
    """Return whether the name was resolved, whatever came of it."""
    return found.reach is not Reach.NO_NAME


def answered(source: Prober, name: str, *, once: Callable[[Https], bool] = right, **how: Any) -> Https:
    """Return how a request ended as soon as that says ``once``, or how it still ends after a minute.

    A resolver, a proxy or a destination that is late is waited for, and not judged. ``how`` and errors are
    those of ``https``.
    """
    last = Https(Reach.NO_ROUTE)

    def look() -> bool:
        nonlocal last
        last = https(source, name, **how)
        return once(last)

    with suppress(DeadlineExceeded):  # how it ends instead is the answer
        until(look, timeout=ANSWERS, what=f"{source.label} hears of {name}")
    return last
