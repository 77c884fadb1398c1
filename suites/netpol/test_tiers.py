"""The policies of every tier, as they are rendered: what a component brings opens no more than its sentence.

The checks beside these look at the default tier in the cluster. A component adds policies, which add up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from boxproof.deployment.box import Box
from boxproof.kube.client import Kube, Object
from boxproof.kube.network_policies import Direction, of_nodes, of_pods, openings
from pytest_claims import claim, control, needs, observe, require
from suites.netpol.meant import (
    NO_PORT,
    Proxy,
    beyond,
    decoys,
    inside,
    lists,
    of_the_proxy,
    proxy_of,
    with_rule,
)
from suites.netpol.test_served import CLIENT, COMPONENT, PORT

OPENED = {"open-egress": (443,)}  # tier -> the ports it is there to open
NAME = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
ENTRY = re.compile(rf"(\*\.)?{NAME}(\.{NAME})+")  # a name, or all below one that is no top-level domain

AS_MEANT = require("no rule of the tier opens more than is meant", lambda found: found == [])
NOBODY = require("no rule of the tier lets anybody in", lambda found: found == [])
THE_CLIENT = require(
    "no rule lets anybody in but the client, on the service's port", lambda found: found == []
)
NO_SIX = require("no rule of the tier opens an IPv6 address", lambda found: found == [])
SHUT_IN = require("the tier opens no more to its proxy than that is there for", lambda found: found == [])
FOR_THE_AGENT = require("in the tier only the agent gets to the proxy", lambda found: found == [])
NAMES = require("a line of the list is a name, or what is below one", lambda wrong: wrong == [])


def policies_of(tier: Box) -> list[Object]:
    """Return the policies of a tier."""
    return [each for each in tier.objects if each["kind"] == "NetworkPolicy"]


def opened(kube: Kube, tier: Box, name: str, port: int, via: Proxy, rule: Object | None = None) -> list[str]:
    """Return what a tier (with one ``rule`` more) opens beyond what is meant; an observation."""
    policies, but = policies_of(tier), OPENED.get(name, ()) if port == NO_PORT else ()
    wide = policies if rule is None else with_rule(policies, tier.labels, rule)
    found = beyond(tier, kube, wide, port, but=but, via=via)
    return observe("beyond what is meant of a tier", f"{name}, {port or 'any port'}", found)


def as_meant(kube: Kube, tiers: Mapping[str, Box], port: int) -> None:
    """Show that rules which open a port too far are seen, and require that no tier has any."""
    default = tiers["default"]
    via = proxy_of(default)  # a tier that is let out by other ways has it all the same
    for what, rule in decoys(port or 22).items():
        with control(f"a rule more, for {what}, is seen"):
            AS_MEANT.fails(opened(kube, default, "default", port, via, rule))
    for name, tier in tiers.items():
        if port not in OPENED.get(name, ()):
            AS_MEANT(opened(kube, tier, name, port, via))


@claim("netpol-unlisted-hosts-blocked")
@needs("box")
def test_no_tier_opens_https_to_any_address(kube: Kube, tiers_as_rendered: Mapping[str, Box]) -> None:
    as_meant(kube, tiers_as_rendered, 443)


@claim("netpol-other-ports-blocked")
@needs("box")
def test_no_tier_opens_any_other_port(kube: Kube, tiers_as_rendered: Mapping[str, Box]) -> None:
    as_meant(kube, tiers_as_rendered, NO_PORT)


@claim("netpol-dns-only-to-kube-dns")
@needs("box")
def test_no_tier_opens_another_resolver(kube: Kube, tiers_as_rendered: Mapping[str, Box]) -> None:
    as_meant(kube, tiers_as_rendered, 53)


@claim("netpol-6443-not-world")
@needs("box")
def test_no_tier_opens_the_api_servers_port(kube: Kube, tiers_as_rendered: Mapping[str, Box]) -> None:
    as_meant(kube, tiers_as_rendered, 6443)


@claim("netpol-no-ipv6-way-out")
@needs("box")
def test_no_tier_opens_an_ipv6_address(kube: Kube, tiers_as_rendered: Mapping[str, Box]) -> None:
    def sixes(name: str, tier: Box, policies: list[Object]) -> list[str]:
        found = openings(policies, tier.namespace, dict(tier.labels), "Egress")
        six = [each.text for each in found if any(one.version == 6 for one in each.peers.networks)]
        return observe("IPv6 of a tier", f"{name}, {len(found)} openings", six)

    default = tiers_as_rendered["default"]
    wide = {"to": [{"ipBlock": {"cidr": "2000::/3"}}], "ports": [{"port": 443}]}
    with control("a rule more, for the public addresses, is seen"):
        NO_SIX.fails(sixes("default", default, with_rule(policies_of(default), default.labels, wide)))
    for name, tier in tiers_as_rendered.items():
        NO_SIX(sixes(name, tier, policies_of(tier)))


def entrances(name: str, tier: Box, policies: list[Object]) -> list[str]:
    """Return what policies of a tier let in, beside its client's on the service's port; an observation."""
    found = openings(policies, tier.namespace, dict(tier.labels), "Ingress")
    served = {PORT: frozenset({"TCP"})} if COMPONENT in tier.components else {}
    others = (
        each for each in found if not any(of_pods(each, CLIENT, at, served) for at in (None, tier.namespace))
    )
    return observe(
        "entrances of a tier", f"{name}, {len(policies)} policies", sorted(one.text for one in others)
    )


@claim("netpol-ingress-denied-nothing-listens")
@needs("box")
def test_no_tier_lets_anybody_in(tiers_as_rendered: Mapping[str, Box]) -> None:
    with control("without its policies the default tier is open to everyone"):
        NOBODY.fails(entrances("default", tiers_as_rendered["default"], []))
    for name, tier in tiers_as_rendered.items():
        if COMPONENT not in tier.components:
            NOBODY(entrances(name, tier, policies_of(tier)))


@claim("http-wrapper-works-and-is-scoped")
@needs("box")
def test_no_rule_of_the_service_lets_anybody_in_but_its_client(tiers_as_rendered: Mapping[str, Box]) -> None:
    served = {name: tier for name, tier in tiers_as_rendered.items() if COMPONENT in tier.components}
    for name, tier in served.items():
        for what, rule in strangers(tier).items():
            with control(f"{name}: a rule more, for {what}, is seen"):
                THE_CLIENT.fails(entrances(name, tier, [*policies_of(tier), rule]))
        THE_CLIENT(entrances(name, tier, policies_of(tier)))


def strangers(tier: Box) -> dict[str, Object]:
    """Return policies that let somebody else in, each in one thing."""
    client = {"podSelector": {"matchLabels": CLIENT}}
    ports = [{"protocol": "TCP", "port": PORT}]
    space = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "another"}}}
    rules: dict[str, Object] = {
        "a namespace": {"from": [space], "ports": ports},
        "the client's label in another namespace": {"from": [client | space], "ports": ports},
        "a block of addresses": {"from": [{"ipBlock": {"cidr": "192.168.0.0/16"}}], "ports": ports},
        "the client, on another port": {"from": [client], "ports": [{"protocol": "TCP", "port": PORT + 1}]},
        "everyone": {"ports": ports},
    }
    meta = {"name": "one-more", "namespace": tier.namespace}
    mine = {"podSelector": {"matchLabels": dict(tier.labels)}, "policyTypes": ["Ingress"]}
    return {
        what: {"kind": "NetworkPolicy", "metadata": meta, "spec": mine | {"ingress": [rule]}}
        for what, rule in rules.items()
    }


@claim("netpol-proxy-confined")
@needs("box", "proxy")
def test_no_tier_opens_more_to_its_proxy(kube: Kube, tiers_as_rendered: Mapping[str, Box]) -> None:
    default = tiers_as_rendered["default"]
    via, policies = proxy_of(default), policies_of(default)

    def wide(name: str, rules: list[Object], direction: Direction) -> list[str]:
        found = of_the_proxy(tiers_as_rendered[name], kube, rules, direction, via)
        return observe(f"{direction.lower()} of a tier's proxy", name, found)

    own, node = str(inside(kube)[0]), of_nodes(kube.list("Node"))[0]
    for what, cidr in (("pods of the cluster", own), ("a node", node), ("every IPv6 address", "::/0")):
        rule = {"to": [{"ipBlock": {"cidr": cidr}}], "ports": [{"port": 443}]}
        with control(f"a rule more, for {what}, is seen"):
            SHUT_IN.fails(wide("default", with_rule(policies, via.labels, rule), "Egress"))
    with control("without its policy everyone gets in"):
        FOR_THE_AGENT.fails(wide("default", [], "Ingress"))
    for name, tier in tiers_as_rendered.items():
        SHUT_IN(wide(name, policies_of(tier), "Egress"))
        FOR_THE_AGENT(wide(name, policies_of(tier), "Ingress"))


@claim("netpol-unlisted-hosts-blocked")
@needs("box", "proxy")
def test_no_list_of_any_tier_has_more_than_names_on_it(tiers_as_rendered: Mapping[str, Box]) -> None:
    def wrong(name: str, entries: list[str]) -> list[str]:
        found = sorted(each for each in entries if not ENTRY.fullmatch(each.lower()))
        return observe("lines that are no names", f"the list of {name}", found)

    default = tiers_as_rendered["default"]
    via, own = proxy_of(default), lists(default)
    assert own, "the proxy is given no list"
    for line in ("*example.com", "example.*", "*.com", "*"):
        with control(f"a line {line} is seen"):
            NAMES.fails(wrong("default", [*own, line]))
    for name, tier in tiers_as_rendered.items():
        NAMES(wrong(name, lists(tier, via)))
