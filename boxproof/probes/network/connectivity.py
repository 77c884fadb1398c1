"""A table of connections: what policies allow, row by row, and what packets do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from boxproof.kube.client import Object
from boxproof.kube.network_policies import Place, allowed
from boxproof.probes.network.reach import Reach
from boxproof.probes.probe_protocol import ANSWER, Prober, ask
from pytest_claims import pace
from pytest_claims.faults import EnvironmentFault

WITHIN = 3.0  # seconds a connection may take; one that is denied without an answer is tried all that time
SWEEP = 120.0  # seconds the probe gets for all connections of one source
MESSAGE = 500  # characters of a fault; the words of a probe name a hundred places
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
    _ask(place, prober, "expose", "--token", token, *map(str, ports))
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


def tried(table: Iterable[Row], *, source_port: int = 0) -> dict[str, Reach]:
    """Try every row once, all at the same time, and return how each ended, by its text.

    With a ``source_port`` each source counts its ports up from there, instead of taking any: what an engine
    remembers of an earlier connection is then not about this one. Raises EnvironmentFault, which names the
    source, if a probe breaks, does not end in time, or another one than the listener answers.
    """
    by_source: dict[str, list[Row]] = {}
    for row in table:
        by_source.setdefault(row.source.place.name, []).append(row)
    with ThreadPoolExecutor(max(len(by_source), 1)) as pool:
        found = list(pool.map(lambda rows: _swept(rows, source_port), by_source.values()))
    return {text: reach for each in found for text, reach in each.items()}


def _swept(rows: Sequence[Row], source_port: int) -> dict[str, Reach]:
    """Try the rows of one source."""
    source = rows[0].source
    assert source.prober is not None
    words = ["--within", str(pace.stretched(WITHIN)), "--source-port", str(source_port), *map(_target, rows)]
    ends = _ask(source.place, source.prober, "sweep", *words, timeout=SWEEP)["ends"]
    found = {}
    for row, end in zip(rows, ends, strict=True):
        found[row.text] = Reach(end["reach"])
        if found[row.text] is Reach.OPEN and row.target.token and end["identity"] != row.target.token:
            raise EnvironmentFault(f"{row.text} was answered by something else: {end['identity']!r}")
    return found


def _target(row: Row) -> str:
    who = "/who" if row.target.token else ""
    return f"{row.target.place.address}:{row.port}/{row.protocol}{who}"


def _ask(place: Place, prober: Prober, *words: str, timeout: float = ANSWER) -> dict[str, Any]:
    try:
        return ask(prober, *words, timeout=timeout)
    except EnvironmentFault as fault:
        raise EnvironmentFault(f"{place.name}, {words[0]}: {fault.message[:MESSAGE]}") from fault


def expected(table: Iterable[Row], policies: Sequence[Object]) -> dict[str, bool]:
    """Return whether the policies allow each row, by its text."""
    return {
        row.text: allowed(policies, row.source.place, row.target.place, row.port, row.protocol)
        for row in table
    }


def opened(seen: dict[str, Reach]) -> list[str]:
    """Return the rows that are open."""
    return sorted(text for text, reach in seen.items() if reach is Reach.OPEN)


def mismatches(wanted: dict[str, bool], seen: dict[str, Reach]) -> list[str]:
    """Return the rows where packets do not do what is allowed, and what they did."""
    return sorted(
        f"{text}: {seen[text]}, {'allowed' if may else 'not allowed'}"
        for text, may in wanted.items()
        if (seen[text] is Reach.OPEN) is not may
    )
