"""cyclonus' pods: how connections between them end, and when policies are in force for each."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from boxproof.kube.client import Kube, Object
from boxproof.kube.exec import exec_in
from boxproof.kube.network_policies import Direction
from boxproof.operations.cyclonus import CONTAINER, NAMESPACES, PODS, PORT
from boxproof.probes.network.enforcement import BY_THEN, POLICY
from boxproof.probes.network.reach import DENIED, Reach
from pytest_claims import pace
from pytest_claims.faults import DeadlineExceeded, EnvironmentFault
from pytest_claims.waiting import until

ROUTES = 60.0  # seconds for new pods to be routed to across nodes
WITHIN = 3  # seconds a connection may take
SAYS = {"TIMEOUT": Reach.FILTERED, "REFUSED": Reach.REFUSED, "OTHER": Reach.NO_ROUTE, "DNS": Reach.NO_NAME}
DIRECTIONS: tuple[Direction, ...] = ("Egress", "Ingress")


@dataclass(frozen=True)
class Peer:
    """One of the pods."""

    namespace: str
    name: str
    address: str

    @property
    def text(self) -> str:
        """How it is called."""
        return f"{self.namespace}/{self.name}"


def peers(kube: Kube) -> list[Peer]:
    """Return the pods; raises NotFound."""
    live = [kube.get("Pod", name, namespace) for namespace in NAMESPACES for name in PODS]
    return [
        Peer(each["metadata"]["namespace"], each["metadata"]["name"], each["status"]["podIP"])
        for each in live
    ]


def connect(kube: Kube, source: Peer, target: Peer) -> Reach:
    """Return how a connection ends, as agnhost says it; raises EnvironmentFault if it cannot be run."""
    limit = pace.stretched(WITHIN)
    argv = ["/agnhost", "connect", f"{target.address}:{PORT}", f"--timeout={limit}s", "--protocol=tcp"]
    done = exec_in(kube, source.namespace, source.name, CONTAINER, argv, timeout=limit + 30)
    if done.ok:
        return Reach.OPEN
    said = done.stderr.partition(":")[0].strip()
    if done.code != 1 or said not in SAYS:
        raise EnvironmentFault(f"agnhost broke in {source.text}: {done.code} {done.stderr.strip()[-200:]}")
    return SAYS[said]


def in_force(kube: Kube, found: Sequence[Peer]) -> dict[str, float]:
    """Deny all pods everything, one way and then the other, and return the seconds until each is denied.

    Before and after, each connection has to be open. Raises EnvironmentFault, which names the pods.
    """
    ring = dict(zip(found, [*found[1:], found[0]], strict=True))
    seconds: dict[str, float] = {}
    _all(kube, ring, frozenset({Reach.OPEN}), ROUTES, "no connection without a policy")
    for direction in DIRECTIONS:
        policies = [denial(each, direction) for each in NAMESPACES]
        kube.apply(policies)
        try:
            took = _all(kube, ring, DENIED, BY_THEN, f"policies of {direction.lower()} are not in force")
        finally:
            kube.delete(policies)
        named = {source.text: (source if direction == "Egress" else ring[source]).text for source in ring}
        seconds |= {f"{named[text]}, {direction.lower()}": each for text, each in took.items()}
        _all(kube, ring, frozenset({Reach.OPEN}), BY_THEN, "no connection after the policy is gone")
    return seconds


def denial(namespace: str, direction: Direction) -> Object:
    """Return a policy that denies every pod of a namespace everything in one direction."""
    return {
        "apiVersion": POLICY,
        "kind": "NetworkPolicy",
        "metadata": {"name": f"deny-{direction.lower()}", "namespace": namespace},
        "spec": {"podSelector": {}, "policyTypes": [direction]},
    }


def _all(
    kube: Kube, ring: Mapping[Peer, Peer], wanted: frozenset[Reach], within: float, otherwise: str
) -> dict[str, float]:
    """Return the seconds until each source's connection ended as wanted; an attempt counts from its start."""
    started = time.monotonic()
    seconds: dict[str, float] = {}

    def look() -> bool:
        asked = round(time.monotonic() - started, 2)
        waiting = [each for each in ring if each.text not in seconds]
        with ThreadPoolExecutor(len(waiting)) as pool:
            ends = list(pool.map(lambda each: connect(kube, each, ring[each]), waiting))
        seconds.update({each.text: asked for each, end in zip(waiting, ends, strict=True) if end in wanted})
        return len(seconds) == len(ring)

    with suppress(DeadlineExceeded):
        until(look, timeout=within, what=otherwise, every=0.2)
        return seconds
    late = ", ".join(f"{each.text} -> {to.text}" for each, to in ring.items() if each.text not in seconds)
    raise EnvironmentFault(f"{otherwise}, after {within:.0f} s: {late}")
