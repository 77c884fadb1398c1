"""The pod network enforces policies, and ours selects the pod, in both directions."""

from __future__ import annotations

import pytest

from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Listeners, Twins
from boxproof.kube.client import Kube
from boxproof.probes.connectivity import becomes, deny_all, selecting, stays_denied
from boxproof.probes.pods.helper_pods import workers
from boxproof.probes.reach import DENIED, Outside, Reach, reach, reached
from pytest_claims import claim, control, observe, require

ROUTES = 60.0  # seconds for new pods to be routed to across nodes

SHUT = require("the connection is denied", lambda answer: answer in DENIED)
LASTS = require("it stays denied", lambda lasting: lasting is True)
FREE_AGAIN = require("without the policy it is open again", lambda answer: answer is Reach.OPEN)
SELECTED = require("some policy selects it", lambda found: found != {})
OUTWARDS = require(
    "some policy that selects it speaks about egress",
    lambda found: any("Egress" in each for each in found.values()),
)


@claim("netpol-enforced-by-cni")
@pytest.mark.parametrize("where", ["one node", "two nodes"])
def test_the_pod_network_enforces_a_policy(
    kube: Kube, twin: Twins, aside: str, listener: Listeners, where: str
) -> None:
    near, *others = workers(kube)
    far = others[0] if others and where == "two nodes" else near
    labels = {"boxproof.dev/canary": where.replace(" ", "-")}
    source, target = twin(labels=labels, node=near, fresh=True), listener.on(twin(node=far, fresh=True))
    policy = deny_all(aside, labels, f"canary-{where.replace(' ', '-')}")

    def lasting() -> bool:
        return observe("stays denied", where, stays_denied(source, target))

    with control("before the policy the same connection is answered by the listener"):
        SHUT.fails(becomes(source, target, {Reach.OPEN}, within=ROUTES))
        LASTS.fails(lasting())
    kube.apply([policy])
    try:
        SHUT(becomes(source, target, DENIED))
        LASTS(lasting())
        with control("under the policy it is not open"):
            FREE_AGAIN.fails(reach(source, target))
    finally:
        kube.delete([policy])
    FREE_AGAIN(becomes(source, target, {Reach.OPEN}))


def policies_of(kube: Kube, namespace: str, labels: dict[str, str], who: str) -> dict[str, list[str]]:
    """Return the policies that select a pod with ``labels``, and their directions; an observation."""
    return observe("selecting", who, selecting(kube, namespace, labels))


@claim("netpol-selects-the-pod")
def test_a_policy_selects_the_running_pod(agent: Box, kube: Kube, twin: Twins) -> None:
    other = twin()
    with control("a pod of another namespace is selected by no policy"):
        SELECTED.fails(policies_of(kube, other.namespace, dict(other.labels), other.label))
    labels = agent.pod_object()["metadata"]["labels"]
    SELECTED(policies_of(kube, agent.namespace, labels, agent.label))


@claim("netpol-selects-the-pod")
def test_packets_of_the_running_pod_are_those_of_a_selected_one(
    agent: Box, twin: Twins, outside: Outside, listener: Listeners
) -> None:
    target = listener.on(outside)
    with control("a pod that no policy selects gets out to the same listener"):
        SHUT.fails(reached(twin(), target))
    SHUT(reach(agent, target))


@claim("netpol-egress-type-present")
def test_the_policy_speaks_about_egress(
    agent: Box, kube: Kube, twin: Twins, outside: Outside, listener: Listeners
) -> None:
    target, other = listener(on=outside), twin()
    with control("a pod that no policy selects gets out to the same listener"):
        OUTWARDS.fails(policies_of(kube, other.namespace, dict(other.labels), other.label))
        SHUT.fails(reached(other, target))
    labels = agent.pod_object()["metadata"]["labels"]
    OUTWARDS(policies_of(kube, agent.namespace, labels, agent.label))
    SHUT(reach(agent, target))
