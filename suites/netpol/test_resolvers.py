"""DNS is no way out: port 53 is open to the cluster's own resolver alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Listeners, Twins
from boxproof.probes.connectivity import beside
from boxproof.probes.pods.probe_pods import Twin
from boxproof.probes.probe_program import Prober
from boxproof.probes.reach import DENIED, Listener, lookup, reach, reached
from pytest_claims import claim, control, observe, require
from suites.netpol.conftest import LOW_PORTS
from suites.netpol.meant import RESOLVER

NAME = "kubernetes.default.svc.cluster.local"
DNS = 53

SHUT = require("the other resolver is not reached", lambda answer: answer in DENIED)
ANSWERED = require("the cluster's own resolver answers", lambda found: found is True)


def answers(agent: Box, other: Prober, *, tcp: bool) -> bool:
    """Return whether the cluster's resolver answers, judged beside a pod that no policy selects."""
    found = beside(agent, other, lambda each: lookup(each, NAME, tcp), lambda seen: seen.ok, "the resolver")
    return observe("the resolver answers", f"{agent.label} over {'tcp' if tcp else 'udp'}", found.ok)


@claim("netpol-dns-only-to-kube-dns")
@pytest.mark.parametrize("udp", [True, False], ids=["udp", "tcp"])
def test_no_resolver_outside_is_reached(
    agent: Box, twin: Twins, muted: Twin, everywhere: Callable[..., list[Listener]], udp: bool
) -> None:
    other = twin()
    targets = everywhere(DNS, udp=udp)
    with control(
        "a pod that no policy selects gets to the same port there; one under a policy to no resolver"
    ):
        for each in targets:
            SHUT.fails(reached(other, each))
        ANSWERED.fails(
            observe("the resolver answers", muted.label, lookup(muted, NAME, not udp, within=1).ok)
        )
    for each in targets:
        SHUT(reach(agent, each, within=1))
    ANSWERED(answers(agent, other, tcp=not udp))


@claim("netpol-dns-only-to-kube-dns")
@pytest.mark.parametrize("udp", [True, False], ids=["udp", "tcp"])
@pytest.mark.parametrize("where", ["another namespace", "its own namespace"])
def test_a_pod_that_is_labelled_like_the_resolver_is_not_reached(
    agent: Box,
    twin: Twins,
    neighbour: Callable[..., Twin],
    aside: str,
    listener: Listeners,
    where: str,
    udp: bool,
) -> None:
    space = agent.namespace if where == "its own namespace" else aside
    target = listener.on(neighbour(space, RESOLVER, spec=LOW_PORTS), DNS, udp=udp)
    with control("a pod that no policy selects gets to the same port there"):
        SHUT.fails(reached(twin(), target))
    SHUT(reach(agent, target, within=1))
