"""A table of connections taken whole: without policies, until they are in force, and once under them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import filelock

from boxproof.kube.client import Kube, Object
from boxproof.probes import connectivity
from boxproof.probes.connectivity import Row, Spot, canaries, in_force
from boxproof.probes.reach import Reach
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.waiting import until

ROUTES = 60.0  # seconds for new pods to be routed to across nodes
SOURCE_PORT = 20000  # below those that a connection gets by itself: no earlier one had them
SHOWN = 20  # mismatches that are listed, where there are more


@dataclass(frozen=True)
class Line:
    """One connection: whether the policies allow it, how it ended without them (``free``) and under them."""

    source: str
    target: str
    port: int
    protocol: str
    allowed: bool
    free: Reach
    ended: Reach

    @property
    def text(self) -> str:
        """How it is called in evidence."""
        return f"{self.source} -> {self.target}:{self.port}/{self.protocol}"


@dataclass(frozen=True)
class Taken:
    """A filled table, and the seconds it took.

    ``in_force`` are the seconds until policies were in force, by pod and direction; ``late`` the seconds
    waited where they never were.
    """

    lines: Sequence[Line]
    in_force: Mapping[str, float]
    late: Mapping[str, float]
    seconds: float

    @property
    def shut(self) -> list[str]:
        """The lines that were not open without policies: nothing is known of them."""
        return sorted(f"{each.text}: {each.free}" for each in self.lines if each.free is not Reach.OPEN)

    @property
    def mismatches(self) -> list[str]:
        """The lines where packets do not do what the policies allow."""
        return sorted(
            f"{each.text}: {each.ended}, {'allowed' if each.allowed else 'not allowed'}"
            for each in self.lines
            if (each.ended is Reach.OPEN) is not each.allowed
        )


def counted(lines: Sequence[Line], ends: Sequence[Reach], mismatches: Sequence[str]) -> dict[str, Any]:
    """Return what a report says of a table: how many rows, how many are open, how many mismatches."""
    number = sum(each is Reach.OPEN for each in ends)
    shown = {"which": list(mismatches[:SHOWN])} if mismatches else {}
    return {"rows": len(lines), "open": number, "mismatches": len(mismatches)} | shown


def take(spots: Sequence[Spot], policies: Sequence[Object], kube: Kube) -> Taken:
    """Fill the table of ``spots`` without ``policies``, apply these, and fill it once they are in force.

    Only what is waited for is tried more than once: routes to new pods, then one connection of each pod and
    direction, and what is allowed, whose answer may be late. Raises EnvironmentFault, which names the source,
    if a probe breaks.
    """
    started, rows = time.monotonic(), connectivity.rows(spots)
    free = _opened(rows)
    kube.apply(policies)
    force = in_force(canaries(rows, policies))
    wanted = connectivity.expected(rows, policies)
    ended = connectivity.tried(rows, source_port=SOURCE_PORT)
    ended |= _opened([each for each in rows if wanted[each.text] and ended[each.text] is not Reach.OPEN])
    lines = [
        Line(
            each.source.place.name, each.target.place.name, each.port, each.protocol,
            wanted[each.text], free[each.text], ended[each.text],
        )
        for each in rows
    ]  # fmt: skip
    return Taken(lines, force.seconds, force.late, round(time.monotonic() - started, 2))


def _opened(rows: Sequence[Row]) -> dict[str, Reach]:
    """Return how every row ends once all are open, or how they still end when they had their time."""
    seen: dict[str, Reach] = {}

    def look() -> bool:
        seen.update(connectivity.tried(each for each in rows if seen.get(each.text) is not Reach.OPEN))
        return len(connectivity.opened(seen)) == len(rows)

    with suppress(DeadlineExceeded):  # what is still shut is for the check to say
        until(look, timeout=ROUTES, what="what is allowed gets through", every=0.2)
    return seen


def shared(path: Path, made: Callable[[], Taken]) -> Taken:
    """Return what ``made`` gives, kept in ``path``: the workers of a run take one table between them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{path}.lock"):
        if not path.is_file():
            path.write_text(json.dumps(asdict(made()), indent=1))
        return read(path)


def read(path: Path) -> Taken:
    """Return a table that ``shared`` wrote; raises OSError or ValueError."""
    data = json.loads(path.read_text())
    lines = [
        Line(**each | {"free": Reach(each["free"]), "ended": Reach(each["ended"])}) for each in data["lines"]
    ]
    return Taken(lines, data["in_force"], data["late"], data["seconds"])
