"""What a resolver answers, read from DNS packets of our own: an answer code is not a timeout."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from boxproof.probes.probe_protocol import ANSWER, Prober, ask
from pytest_claims import pace
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.recording.observations import record
from pytest_claims.waiting import until

TIMEOUT = "TIMEOUT"
UNREACHABLE = "UNREACHABLE"
RESOLVES = 60.0  # seconds in which a name that must resolve comes to: a resolver may be late


@dataclass(frozen=True)
class Names:
    """The answer about one name: ``rcode`` as "NOERROR", "NXDOMAIN", …, or TIMEOUT or UNREACHABLE."""

    rcode: str
    answers: tuple[str, ...] = ()
    server: str = ""

    @property
    def ok(self) -> bool:
        """Whether there was an answer with an address."""
        return self.rcode == "NOERROR" and bool(self.answers)

    @property
    def answered(self) -> bool:
        """Whether a resolver answered at all, whatever it said."""
        return self.rcode not in (TIMEOUT, UNREACHABLE)


def lookup(source: Prober, name: str, tcp: bool = False, *, server: str = "", within: float = 3.0) -> Names:
    """Return what the resolver of ``source`` (or ``server``) answers about the A records of ``name``.

    ``within`` is seconds, for one attempt, and more on a slow machine. Search domains are tried as the
    resolver configuration says. Raises EnvironmentFault if the probe breaks.
    """
    limit = pace.stretched(within)
    words = ["resolve", name, "--within", str(limit)]
    words += ["--tcp"] if tcp else []
    words += ["--server", server] if server else []
    answer = ask(source, *words, timeout=8 * limit + ANSWER)
    found = Names(str(answer["rcode"]), tuple(answer["answers"]), str(answer["server"]))
    record("names", f"{source.label}: {name} over {'tcp' if tcp else 'udp'}", found)
    return found


def resolved(source: Prober, name: str, tcp: bool = False, *, within: float = RESOLVES) -> Names:
    """Return the answer about a name once it has an address, or the last one after ``within`` seconds.

    For a name that must resolve: what is late is waited for. Otherwise as ``lookup``.
    """
    last = Names(TIMEOUT)

    def look() -> bool:
        nonlocal last
        last = lookup(source, name, tcp)
        return last.ok

    with suppress(DeadlineExceeded):  # what is said instead is the answer
        until(look, timeout=within, what=f"{source.label} resolves {name}")
    return last
