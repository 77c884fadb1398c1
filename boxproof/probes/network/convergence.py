"""When policies are in force for each pod of a table: seen at a connection that only its own rules forbid."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from boxproof.kube.client import Object
from boxproof.kube.network_policies import Direction, one_way
from boxproof.probes.network import connectivity
from boxproof.probes.network.connectivity import Row
from boxproof.probes.network.reach import DENIED
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.waiting import until

BY_THEN = 120.0  # seconds; under kube-router on a busy machine a new pod was seen to be free for 75


@dataclass(frozen=True)
class Canary:
    """A connection that is forbidden by what holds for one end of it, and allowed by the other's."""

    row: Row
    pod: str
    direction: Direction

    @property
    def text(self) -> str:
        """How it is called in evidence."""
        return f"{self.pod}, {self.direction.lower()}"


def canaries(rows: Iterable[Row], policies: Sequence[Object]) -> list[Canary]:
    """Return one for each pod and direction in which the policies forbid it something."""
    found: dict[tuple[str, Direction], Canary] = {}
    for row in rows:
        source, target = row.source.place, row.target.place
        leaves = one_way(policies, source, target, row.port, row.protocol, "Egress")
        enters = one_way(policies, target, source, row.port, row.protocol, "Ingress")
        direction: Direction = "Ingress" if leaves else "Egress"
        if leaves is not enters:
            pod = target.name if leaves else source.name
            found.setdefault((pod, direction), Canary(row, pod, direction))
    return list(found.values())


@dataclass(frozen=True)
class InForce:
    """Seconds until each was denied, by its text; ``late`` are those that still got through at the end."""

    seconds: Mapping[str, float]
    late: Mapping[str, float]


def in_force(canaries: Sequence[Canary], *, within: float = BY_THEN) -> InForce:
    """Try canaries until each is denied, for at most ``within`` seconds; an attempt counts from its start.

    Raises EnvironmentFault if a probe breaks.
    """
    started = time.monotonic()
    seconds: dict[str, float] = {}

    def look() -> bool:
        asked = round(time.monotonic() - started, 2)
        open_yet = [each for each in canaries if each.text not in seconds]
        seen = connectivity.tried(each.row for each in open_yet)
        seconds.update({each.text: asked for each in open_yet if seen[each.row.text] in DENIED})
        return len(seconds) == len(canaries)

    with suppress(DeadlineExceeded):  # who is late is for the check to say
        until(look, timeout=within, what="the policies are in force", every=0.2)
    waited = round(time.monotonic() - started, 2)
    return InForce(seconds, {each.text: waited for each in canaries if each.text not in seconds})
