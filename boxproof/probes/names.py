"""What a resolver answers, read from DNS packets of our own: an answer code is not a timeout."""

from __future__ import annotations

from dataclasses import dataclass

from boxproof import pace
from boxproof.probes.ledger import record
from boxproof.probes.program import Prober, ask

TIMEOUT = "TIMEOUT"
UNREACHABLE = "UNREACHABLE"


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
    answer = ask(source, *words, timeout=8 * limit + 20)
    found = Names(str(answer["rcode"]), tuple(answer["answers"]), str(answer["server"]))
    record("names", f"{source.label}: {name} over {'tcp' if tcp else 'udp'}", found)
    return found
