"""DNS is no way out: port 53 is open to the cluster's own resolver alone."""

from __future__ import annotations

import pytest

from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Listeners, Twins
from boxproof.kube.client import Kube
from boxproof.probes.network.enforcement import becomes, stays_denied
from boxproof.probes.network.name_resolution import resolved
from boxproof.probes.network.outside import Outside
from boxproof.probes.network.reach import DENIED, Reach, reached
from pytest_claims import claim, control

NAME = "kubernetes.default.svc.cluster.local"
SELECTOR = "k8s-app=kube-dns"
DNS = 53
MAY_BIND = {
    "runAsUser": 0, "runAsNonRoot": False, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
}  # fmt: skip


@claim("netpol-dns-only-to-kube-dns")
@pytest.mark.parametrize("udp", [True, False], ids=["udp", "tcp"])
@pytest.mark.parametrize("where", ["outside", "inside"])
def test_no_other_resolver_is_reached(
    agent: Box, twin: Twins, outside: Outside, listener: Listeners, kube: Kube, where: str, udp: bool
) -> None:
    place = outside if where == "outside" else twin(labels={"role": "resolver"}, security=MAY_BIND)
    target = listener.on(place, DNS, udp=udp)
    with control("a pod that no policy selects gets to the same port there"):
        assert reached(twin(namespace=agent.namespace), target) is Reach.OPEN
    assert becomes(agent, target, DENIED) in DENIED
    assert stays_denied(agent, target)
    assert kube.list("Pod", "kube-system", SELECTOR), "the cluster's DNS is not what the policy selects"
    assert resolved(agent, NAME, tcp=not udp).ok
