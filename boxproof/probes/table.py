"""A table of connections: what policies allow, row by row, and what packets do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from boxproof.errors import EnvironmentFault
from boxproof.kube.client import Object
from boxproof.probes.program import Prober, ask
from boxproof.probes.reach import Reach
from boxproof.subject.netpol import Place, allowed

WITHIN = 2.0  # seconds a connection may take
PROTOCOLS = ("TCP", "UDP")


@dataclass(frozen=True)
class Spot:
    """A place with something to probe from, where there is one, and something that listens.

    ``token`` is what its listeners say, "" for services of others; ``ports`` are (port, protocol).
    """

    place: Place
    ports: tuple[tuple[int, str], ...]
    token: str = ""
    prober: Prober | None = None


@dataclass(frozen=True)
class Row:
    """One connection that can be tried."""

    source: Spot
    target: Spot
    port: int
    protocol: str

    @property
    def text(self) -> str:
        """How it is called in evidence."""
        return f"{self.source.place.name} -> {self.target.place.name}:{self.port}/{self.protocol}"


def exposed(place: Place, prober: Prober, ports: Sequence[int], token: str) -> Spot:
    """Have something listen on every port of a place, over both protocols; raises EnvironmentFault."""
    ask(prober, "expose", "--token", token, *map(str, ports))
    return Spot(place, tuple((port, each) for port in ports for each in PROTOCOLS), token, prober)


def rows(spots: Sequence[Spot]) -> list[Row]:
    """Return every connection between two different spots, from those that can be probed from."""
    return [
        Row(source, target, port, protocol)
        for source in spots
        if source.prober is not None and source.place.namespace
        for target in spots
        if target is not source
        for port, protocol in target.ports
    ]


def tried(table: Iterable[Row]) -> dict[str, Reach]:
    """Try every row, those of one source at once, and return how each ended, by its text.

    Raises EnvironmentFault if the probe breaks, or another one than the listener answers.
    """
    found = {}
    for _, group in groupby(table, key=lambda row: row.source.place.name):
        mine = list(group)
        targets = [f"{each.target.place.address}:{each.port}/{each.protocol}" for each in mine]
        prober = mine[0].source.prober
        assert prober is not None
        ends = ask(prober, "sweep", "--within", str(WITHIN), *targets, timeout=60)["ends"]
        for row, end in zip(mine, ends, strict=True):
            found[row.text] = Reach(end["reach"])
            if found[row.text] is Reach.OPEN and row.target.token and end["identity"] != row.target.token:
                raise EnvironmentFault(f"{row.text} was answered by something else: {end['identity']!r}")
    return found


def expected(table: Iterable[Row], policies: Sequence[Object]) -> dict[str, bool]:
    """Return whether the policies allow each row, by its text."""
    return {
        row.text: allowed(policies, row.source.place, row.target.place, row.port, row.protocol)
        for row in table
    }


def leaks(wanted: dict[str, bool], seen: dict[str, Reach]) -> list[str]:
    """Return the rows that are open and should not be."""
    return sorted(text for text, may in wanted.items() if not may and seen[text] is Reach.OPEN)


def mismatches(wanted: dict[str, bool], seen: dict[str, Reach]) -> list[str]:
    """Return the rows where packets do not do what is allowed, and what they did."""
    return sorted(
        f"{text}: {seen[text]}, {'allowed' if may else 'not allowed'}"
        for text, may in wanted.items()
        if (seen[text] is Reach.OPEN) is not may
    )
