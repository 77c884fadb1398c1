"""When a policy takes hold, measured, and whether a denial lasts."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from boxproof.kube.client import Kube
from boxproof.kube.network_policies import of_pod
from boxproof.probes.network.reach import DENIED, Listener, Reach, reach
from boxproof.probes.probe_protocol import Prober
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.recording.observations import record
from pytest_claims.waiting import holds, until

TAKES_HOLD = 20.0  # seconds an engine gets; kube-router was seen to need up to a few
HELD = 3.0  # seconds a denial must last to count
POLICY = "networking.k8s.io/v1"


def becomes(
    source: Prober, target: Listener, wanted: Iterable[Reach], *, within: float = TAKES_HOLD
) -> Reach:
    """Return how connections end once they end as ``wanted``, or how they still end after ``within`` seconds.

    The time it took is recorded. Raises EnvironmentFault if the probe breaks.
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


def deny_all(namespace: str, labels: Mapping[str, str], name: str = "deny-all") -> dict[str, Any]:
    """Return a policy that denies the pods with ``labels`` everything, both ways."""
    return {
        "apiVersion": POLICY,
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"podSelector": {"matchLabels": dict(labels)}, "policyTypes": ["Ingress", "Egress"]},
    }


def selecting(kube: Kube, namespace: str, labels: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the policies of ``namespace`` that select a pod with ``labels``: name -> directions."""
    found = of_pod(kube.list("NetworkPolicy", namespace), labels)
    return {each["metadata"]["name"]: sorted(each["spec"].get("policyTypes", ["Ingress"])) for each in found}
