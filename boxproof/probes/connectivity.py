"""What policies do to connections: a table of what they allow and what packets do, and when one is in force.

A wait for the wanted answer would last to its deadline where the subject is wrong, and a right answer would
say nothing about a moment before. So a canary beside the box says when the engine has done what was asked of
it, and then the box is judged at once.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from boxproof.kube.client import Kube, Object
from boxproof.kube.network_policies import Direction, Place, allowed, of_pod, one_way
from boxproof.probes.pods.probe_pods import Twin
from boxproof.probes.probe_program import ANSWER, Prober, ask
from boxproof.probes.reach import DENIED, Listener, Reach, reach
from pytest_claims import pace
from pytest_claims.faults import DeadlineExceeded, EnvironmentFault
from pytest_claims.recording.observations import record
from pytest_claims.waiting import holds, until

WITHIN = 3.0  # seconds a connection may take; one that is denied without an answer is tried all that time
SWEEP = 120.0  # seconds the probe gets for all connections of one source
MESSAGE = 500  # characters of a fault; the words of a probe name a hundred places
PROTOCOLS = ("TCP", "UDP")
T = TypeVar("T")
TAKES_HOLD = 20.0  # seconds an engine gets; kube-router was seen to need up to a few
IN_FORCE = 120.0  # seconds; under kube-router on a busy machine a new pod was seen to be free for 75
HELD = 3.0  # seconds for which a denial is watched where a sentence is about its lasting
LOOKS = 3  # times another one gets through while the box does not, until that is the answer
POLICY = "networking.k8s.io/v1"
CANARY = "boxproof.dev/in-force"
BY_THEN = 120.0  # seconds; under kube-router on a busy machine a new pod was seen to be free for 75


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


def becomes(
    source: Prober, target: Listener, wanted: Iterable[Reach], *, within: float = TAKES_HOLD
) -> Reach:
    """Return how connections end once they end as ``wanted``, or how they still end after ``within`` seconds.

    For a state that must come. The time it took is recorded. Raises EnvironmentFault if the probe breaks.
    """
    started, answers = time.monotonic(), frozenset(wanted)
    last = Reach.NO_ROUTE

    def look() -> bool:
        nonlocal last
        last = reach(source, target, within=1.0)
        return last in answers

    try:
        until(look, timeout=within, what=f"{source.label} sees {sorted(answers)}", every=0.2)
    except DeadlineExceeded:
        return last
    took = round(time.monotonic() - started, 2)
    record("enforcement", f"{source.label} -> {target.address}:{target.port} {last}", {"seconds": took})
    return last


def stays_denied(source: Prober, target: Listener, *, seconds: float = HELD) -> bool:
    """Return whether every connection in ``seconds`` is refused or filtered; at least two are tried."""
    return holds(lambda: reach(source, target, within=1.0) in DENIED, seconds=seconds, every=0.3)


class Barrier:
    """A pod on one node and a listener that it reaches: once a policy shuts it off, earlier ones hold too.

    An engine reads policies and pods in the order of their events, so that a policy made after the box's,
    for a pod that changed after the box's had its address, is in force on that node after the box's.
    """

    def __init__(self, kube: Kube, canary: Twin, target: Listener) -> None:
        self.kube = kube
        self.canary = canary
        self.target = target

    def passed(self) -> None:
        """Wait until whatever was applied before holds on the node; raises EnvironmentFault if none does."""
        started, mark = time.monotonic(), secrets.token_hex(4)
        policy = deny_all(self.canary.namespace, {CANARY: mark}, f"in-force-{mark}")
        self._sees({Reach.OPEN}, "a pod that no policy selects does not reach another one")
        self.kube.apply([policy])
        try:
            self.canary.relabel({CANARY: mark})
            self._sees(DENIED, "a deny-all policy is not enforced")
        finally:
            self.kube.delete([policy])
        took = round(time.monotonic() - started, 2)
        record("enforcement", f"a policy on {self.canary.node}", {"seconds": took})

    def _sees(self, wanted: Iterable[Reach], otherwise: str) -> None:
        found = becomes(self.canary, self.target, wanted, within=IN_FORCE)
        if found not in wanted:
            where = self.canary.node or "its node"
            raise EnvironmentFault(
                f"{otherwise} on {where}: {found}", hint="the pod network must enforce policies"
            )


def beside(
    source: Prober, other: Prober, look: Callable[[Prober], T], right: Callable[[T], bool], what: str
) -> T:
    """Return what ``source`` sees as soon as it is right, or what it sees beside one who sees it right.

    For what must get through: what is late is late for ``other`` too, so that nothing is judged before that
    one got through ``LOOKS`` times, each just after ``source`` did not. Raises EnvironmentFault if it never
    does.
    """
    seen: list[T] = []
    behind = 0

    def judged() -> bool:
        nonlocal behind
        seen.append(look(source))
        if right(seen[-1]):
            return True
        behind += right(look(other))
        return behind >= LOOKS

    try:
        until(judged, timeout=IN_FORCE, what=what)
    except DeadlineExceeded as late:
        raise EnvironmentFault(
            f"{what}: neither {source.label} nor {other.label} got through: {late}"
        ) from late
    return seen[-1]


def opens(
    source: Prober, other: Prober, target: str | Listener, port: int = 0, *, udp: bool = False
) -> Reach:
    """Return how a connection of ``source`` ends that must get through, judged ``beside`` another's."""
    return beside(
        source, other, lambda each: reach(each, target, port, udp=udp), lambda found: found is Reach.OPEN,
        f"{source.label} gets through",
    )  # fmt: skip


def deny_all(namespace: str, labels: Mapping[str, str], name: str = "deny-all") -> dict[str, Any]:
    """Return a policy that denies the pods with ``labels`` everything, both ways."""
    return {
        "apiVersion": POLICY,
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"podSelector": {"matchLabels": dict(labels)}, "policyTypes": ["Ingress", "Egress"]},
    }


def allow_all(namespace: str, labels: Mapping[str, str], name: str) -> dict[str, Any]:
    """Return a policy that allows the pods with ``labels`` everything, both ways: policies add up."""
    policy = deny_all(namespace, labels, name)
    policy["spec"] |= {"ingress": [{}], "egress": [{}]}
    return policy


def selecting(kube: Kube, namespace: str, labels: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the policies of ``namespace`` that select a pod with ``labels``: name -> directions."""
    found = of_pod(kube.list("NetworkPolicy", namespace), labels)
    return {each["metadata"]["name"]: sorted(each["spec"].get("policyTypes", ["Ingress"])) for each in found}


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
        seen = tried(each.row for each in open_yet)
        seconds.update({each.text: asked for each in open_yet if seen[each.row.text] in DENIED})
        return len(seconds) == len(canaries)

    with suppress(DeadlineExceeded):  # who is late is for the check to say
        until(look, timeout=within, what="the policies are in force", every=0.2)
    waited = round(time.monotonic() - started, 2)
    return InForce(seconds, {each.text: waited for each in canaries if each.text not in seconds})
