"""The policies over the whole space of addresses, ports and peers, as they stand in the cluster."""

from __future__ import annotations

import pytest

from boxproof.deployment.box import Box
from boxproof.kube.client import Kube, Object
from boxproof.kube.network_policies import of_nodes, of_pod, openings
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require
from suites.netpol.meant import beyond, decoys, inside, of_the_proxy, proxy_of, with_rule

AS_MEANT = require("no rule opens more than is meant", lambda found: found == [])
NOBODY_GETS_IN = require("no rule lets anybody in", lambda found: found == [])
BOTH_WAYS = require("a policy that selects the pod speaks about egress", lambda found: found is True)
NO_SIX = require("no rule opens an IPv6 address", lambda found: found == [])
SHUT_IN = require(
    "the proxy gets to the resolver and to 443 outside, and nowhere else", lambda found: found == []
)
FOR_THE_AGENT = require("only the agent gets to the proxy", lambda found: found == [])


@pytest.fixture
def policies(agent: Box, kube: Kube) -> list[Object]:
    """The policies of the agent's namespace, as the API server has them."""
    return kube.list("NetworkPolicy", agent.namespace)


def too_far(agent: Box, kube: Kube, policies: list[Object], port: int) -> None:
    """Show that rules which open ``port`` too far are seen, each in one thing."""
    for what, rule in decoys(port).items():
        with control(f"a rule more, for {what}, is seen on port {port}"):
            AS_MEANT.fails(beyond(agent, kube, with_rule(policies, agent.labels, rule), port))


@claim("netpol-other-ports-blocked")
def test_no_rule_opens_any_other_port(
    agent: Box, kube: Kube, policies: list[Object], subject: Subject
) -> None:
    too_far(agent, kube, policies, 22)
    with control("where no policy selects it, it may go anywhere"):
        AS_MEANT.fails(beyond(agent, kube, []))
    AS_MEANT(beyond(agent, kube, policies, but=claimed_elsewhere(subject)))


def claimed_elsewhere(subject: Subject) -> tuple[int, ...]:
    """Return the ports that other claims are about, where these are not the one way out there is."""
    return () if "box" in subject.profiles else (53, 443, 6443)


@claim("netpol-unlisted-hosts-blocked")
def test_no_rule_opens_https_to_any_address(agent: Box, kube: Kube, policies: list[Object]) -> None:
    too_far(agent, kube, policies, 443)
    AS_MEANT(beyond(agent, kube, policies, 443))


@claim("netpol-dns-only-to-kube-dns")
def test_no_rule_opens_another_resolver(agent: Box, kube: Kube, policies: list[Object]) -> None:
    too_far(agent, kube, policies, 53)
    AS_MEANT(beyond(agent, kube, policies, 53))


@claim("netpol-6443-not-world")
def test_no_rule_opens_the_api_servers_port_elsewhere(agent: Box, kube: Kube, policies: list[Object]) -> None:
    too_far(agent, kube, policies, 6443)
    AS_MEANT(beyond(agent, kube, policies, 6443))


@claim("netpol-ingress-denied-nothing-listens")
def test_no_rule_lets_anybody_in(agent: Box, policies: list[Object]) -> None:
    def entrances(rules: list[Object]) -> list[str]:
        found = openings(rules, agent.namespace, dict(agent.labels), "Ingress")
        return observe("entrances", f"{len(rules)} policies", sorted(each.text for each in found))

    with control("a pod that no policy selects is open to everyone"):
        NOBODY_GETS_IN.fails(entrances([]))
    NOBODY_GETS_IN(entrances(policies))


@claim("netpol-egress-type-present")
def test_egress_is_among_the_types_that_are_written(agent: Box, policies: list[Object]) -> None:
    def written(rules: list[Object]) -> bool:
        types = [each["spec"].get("policyTypes") or [] for each in of_pod(rules, agent.labels)]
        return observe(
            "egress in policyTypes", f"{len(types)} policies", any("Egress" in each for each in types)
        )

    with control("policies without it are seen"):
        BOTH_WAYS.fails(
            written([each | {"spec": each["spec"] | {"policyTypes": ["Ingress"]}} for each in policies])
        )
    BOTH_WAYS(written(policies))


@claim("netpol-no-ipv6-way-out")
def test_no_rule_opens_an_ipv6_address(agent: Box, policies: list[Object]) -> None:
    def sixes(rules: list[Object]) -> list[str]:
        found = openings(rules, agent.namespace, dict(agent.labels), "Egress")
        six = [each.text for each in found if any(one.version == 6 for one in each.peers.networks)]
        return observe("IPv6", f"{len(found)} openings", six)

    everyone, wide = ({"ports": [{"port": 443}]}, {"to": [{"ipBlock": {"cidr": "2000::/3"}}]})
    for what, rule in (("no addresses", everyone), ("the public ones", wide)):
        with control(f"a rule with {what} is about IPv6 too"):
            NO_SIX.fails(sixes(with_rule(policies, agent.labels, rule)))
    NO_SIX(sixes(policies))


@claim("netpol-proxy-confined")
@needs("proxy")
def test_no_rule_opens_more_to_the_proxy_than_it_is_there_for(
    agent: Box, kube: Kube, policies: list[Object]
) -> None:
    proxy = proxy_of(agent)
    if not proxy.labels:
        pytest.skip("the subject has no proxy")
    own, node = (
        {"ipBlock": {"cidr": str(each)}} for each in (inside(kube)[0], of_nodes(kube.list("Node"))[0])
    )
    for what, rule in (
        ("pods of the cluster", {"to": [own], "ports": [{"port": 443}]}),
        ("a node", {"to": [node], "ports": [{"port": 443}]}),
        ("one port more", {"to": [{"ipBlock": {"cidr": "203.0.113.9/32"}}], "ports": [{"port": 80}]}),
        ("every address", {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 443}]}),
    ):
        with control(f"a rule more, for {what}, is seen"):
            SHUT_IN.fails(of_the_proxy(agent, kube, with_rule(policies, proxy.labels, rule), "Egress"))
    with control("without its policy everyone gets in"):
        FOR_THE_AGENT.fails(of_the_proxy(agent, kube, [], "Ingress"))
    SHUT_IN(of_the_proxy(agent, kube, policies, "Egress"))
    FOR_THE_AGENT(of_the_proxy(agent, kube, policies, "Ingress"))
