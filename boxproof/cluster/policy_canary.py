"""A default-deny canary: whether this cluster's policies do anything, before a verdict rests on one."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from boxproof.core.session import ROLE_LABEL, RUN_LABEL
from boxproof.kube.client import Kube, Object
from boxproof.probes.pods.probe_pods import Twin, manifest, settled, start
from boxproof.probes.reach import DENIED, Listener, Reach, listen, lookup, reach
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import NotYet, until

PREFIX = "boxproof-canary"
NAME = "kubernetes.default.svc.cluster.local"
ROLE = {ROLE_LABEL: "canary"}
APPLIED_TIMEOUT = 30.0  # seconds a policy may take until it is enforced, and until it is gone again
WITHIN = 1.0  # seconds for one connection


@dataclass(frozen=True)
class Enforcement:
    """What the canary saw, within a node and across nodes, and the seconds until the policy took hold."""

    open_before: Reach
    denied_as: Reach
    open_after: Reach
    seconds_to_deny: float
    seconds_to_allow: float
    nodes: tuple[str, ...]


def enforced(kube: Kube, probe_image: str, run: str = "") -> Enforcement:
    """Show that a default-deny policy is enforced: open, denied, open again; on the same node and across.

    Raises EnvironmentFault when names or connections fail without the policy, or one is open with it.
    """
    with _namespace(kube, run) as namespace:
        workers = _workers(kube)
        server, *clients = _pods(kube, namespace, probe_image, [workers[0], workers[0], workers[-1]])
        _names_answered(clients)
        target = listen(server, token=secrets.token_hex(8))
        before = _all(clients, target, {Reach.OPEN}, "connections without a policy")
        started = time.monotonic()
        policy = _deny_all(namespace)
        kube.apply([policy])
        denied = _all(clients, target, DENIED, "connections under a default-deny policy")
        deny = time.monotonic() - started
        started = time.monotonic()
        kube.delete([policy])
        after = _all(clients, target, {Reach.OPEN}, "connections after the policy is gone")
        allow = time.monotonic() - started
    return Enforcement(before, denied, after, round(deny, 2), round(allow, 2), tuple(workers))


def _names_answered(clients: list[Twin]) -> None:
    """Wait until the cluster's DNS answers on the clients' nodes, over UDP and TCP."""
    for client in clients:
        for tcp in (False, True):
            until(
                partial(_resolves, client, tcp),
                timeout=APPLIED_TIMEOUT,
                what=f"{NAME} resolves on {client.node}",
                hint="the cluster's DNS or its services are broken",
            )


def _resolves(client: Twin, tcp: bool) -> bool:
    found = lookup(client, NAME, tcp, within=WITHIN)
    if not found.ok:
        raise NotYet(found.rcode)
    return True


def _all(clients: list[Twin], target: Listener, wanted: frozenset[Reach] | set[Reach], what: str) -> Reach:
    """Wait until every client's connection ends as wanted, and return how the last did."""

    def attempt(client: Twin) -> Callable[[], Reach]:
        def look() -> Reach:
            found = reach(client, target, within=WITHIN)
            if found not in wanted:
                raise NotYet(f"{client.name} on {client.node}: {found}")
            return found

        return look

    hint = "this cluster's pod network does not enforce NetworkPolicy: no policy verdict can be given"
    if Reach.OPEN in wanted:
        hint = "the pod network is broken"
    found = [until(attempt(each), timeout=APPLIED_TIMEOUT, what=what, hint=hint) for each in clients]
    return found[-1]


def _pods(kube: Kube, namespace: str, image: str, nodes: list[str]) -> list[Twin]:
    """Return idle pods of the probe image, one per entry of ``nodes``, at Ready."""
    named = [f"{role}-{number}" for number, role in enumerate(["server", "near", "far"])]
    made = [manifest(name, namespace, image, node=node) for name, node in zip(named, nodes, strict=True)]
    started = [start(kube, each, wait=False) for each in made]
    return [settled(each) for each in started]


def _workers(kube: Kube) -> list[str]:
    """Return the nodes that take pods, by name."""
    nodes = kube.raw("/api/v1/nodes")["items"]
    tainted = {"NoSchedule", "NoExecute"}
    free = [
        each["metadata"]["name"]
        for each in nodes
        if not any(taint["effect"] in tainted for taint in each["spec"].get("taints") or [])
    ]
    if not free:
        raise EnvironmentFault("no node of the cluster takes pods")
    return sorted(free)


def _deny_all(namespace: str) -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "deny-all", "namespace": namespace},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }


@contextmanager
def _namespace(kube: Kube, run: str) -> Iterator[str]:
    name = f"{PREFIX}-{secrets.token_hex(3)}"
    labels = ROLE | ({RUN_LABEL: run} if run else {})
    item = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    kube.create(item)
    try:
        yield name
    finally:
        kube.delete([item])
