"""The pod network enforces policies, and ours selects the pod, in both directions."""

from __future__ import annotations

import pytest

from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Listeners, Twins
from boxproof.kube.client import Kube
from boxproof.probes.network.enforcement import becomes, deny_all, selecting, stays_denied
from boxproof.probes.network.outside import Outside
from boxproof.probes.network.reach import DENIED, Reach, reached
from boxproof.probes.pods.helper_pods import workers
from pytest_claims import claim, control, observe

ROUTES = 60.0  # seconds for new pods to be routed to across nodes


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
    with control("before the policy the same connection is answered by the listener"):
        assert becomes(source, target, {Reach.OPEN}, within=ROUTES) is Reach.OPEN
    kube.apply([policy])
    try:
        assert becomes(source, target, DENIED) in DENIED
        assert stays_denied(source, target)
    finally:
        kube.delete([policy])
    assert becomes(source, target, {Reach.OPEN}) is Reach.OPEN


@claim("netpol-selects-the-pod")
def test_a_policy_selects_the_running_pod(agent: Box, kube: Kube, twin: Twins) -> None:
    other = twin(namespace=agent.namespace, labels={"boxproof.dev/role": "unselected"})
    with control("a pod without the agent's labels is selected by no policy"):
        assert observe("selecting", other.label, selecting(kube, agent.namespace, other.labels)) == {}
    labels = agent.pod_object()["metadata"]["labels"]
    assert observe("selecting", agent.label, selecting(kube, agent.namespace, labels))


@claim("netpol-egress-type-present")
def test_the_policy_speaks_about_egress(
    agent: Box, kube: Kube, twin: Twins, outside: Outside, listener: Listeners
) -> None:
    target = listener(on=outside)
    with control("a pod that no policy selects gets out to the same listener"):
        assert reached(twin(namespace=agent.namespace), target) is Reach.OPEN
    labels = agent.pod_object()["metadata"]["labels"]
    directions = selecting(kube, agent.namespace, labels).values()
    assert any("Egress" in each for each in directions)
    assert becomes(agent, target, DENIED) in DENIED
