"""What the policies of every tier have to open: a component that replaces a list takes others' rules away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase

from boxproof.deployment.box import Box
from boxproof.kube.client import Kube, Object
from boxproof.kube.network_policies import ANY, Opening, covered, of_pods, openings, without
from pytest_claims import claim, control, needs, observe, require
from suites.netpol.meant import DNS, NAMES, RESOLVER, SYSTEM, api_servers, lists, proxy_of
from suites.netpol.owners import BROUGHT
from suites.netpol.test_apiserver import without_port
from suites.netpol.test_tiers import policies_of

TO_THE_API_SERVER = require(
    "the tier opens to the API server what the default tier is seen to get there by", lambda lost: lost == []
)
TO_THE_RESOLVER = require(
    "the tier opens to the resolver what the default tier is seen to get there by", lambda lost: lost == []
)
GIT_HOST = require("the host that a tier clones from is on a list of its proxy", lambda lost: lost == [])

Tiers = Mapping[str, Box]


def includes(wide: Opening, narrow: Opening) -> bool:
    """Return whether one opening lets by whatever another does."""
    low, high = narrow.ports
    if wide.protocol not in (narrow.protocol, ANY) or not wide.ports[0] <= low <= high <= wide.ports[1]:
        return False
    mine, others = wide.peers, narrow.peers
    if mine.everyone:
        return True
    if others.pods is None:
        return not without(others.networks, mine.networks)
    return (mine.pods, mine.namespaces) in ((others.pods, others.namespaces), ({}, {}))


def lost(
    asked: str, tier: Box, policies: Sequence[Object], default: Box, meant: Callable[[Opening], bool]
) -> list[str]:
    """Return which of the ``meant`` openings of the default tier policies of another lack; an observation."""
    own = openings(policies_of(default), default.namespace, dict(default.labels), "Egress")
    wanted = [each for each in own if meant(each)]
    assert wanted, "no rule of the default tier is about it"
    have = openings(policies, tier.namespace, dict(tier.labels), "Egress")
    missing = [each.text for each in wanted if not any(includes(one, each) for one in have)]
    return observe("openings that a tier lacks", asked, sorted(missing))


@claim("netpol-apiserver-reachable")
@needs("box")
def test_every_tier_is_let_out_to_the_api_server(kube: Kube, tiers_as_rendered: Tiers) -> None:
    """That it is reached is seen of the default tier alone."""
    servers, default = api_servers(kube), tiers_as_rendered["default"]

    def meant(opening: Opening) -> bool:
        return covered(opening, servers.networks, servers.ports)

    with control("policies without its ports are seen"):
        fewer = policies_of(default)
        for port in servers.ports:
            fewer = [without_port(each, port) for each in fewer]
        TO_THE_API_SERVER.fails(lost("without its ports", default, fewer, default, meant))
    for name, tier in tiers_as_rendered.items():
        TO_THE_API_SERVER(lost(name, tier, policies_of(tier), default, meant))


@claim("netpol-dns-works-udp-tcp")
@needs("box")
def test_every_tier_is_let_out_to_the_resolver(tiers_as_rendered: Tiers) -> None:
    """That names resolve is seen of the default tier alone."""
    default = tiers_as_rendered["default"]

    def meant(opening: Opening) -> bool:
        return of_pods(opening, RESOLVER, SYSTEM, NAMES)

    with control("policies without a rule for names are seen"):
        fewer = [without_port(each, DNS) for each in policies_of(default)]
        TO_THE_RESOLVER.fails(lost("without 53", default, fewer, default, meant))
    for name, tier in tiers_as_rendered.items():
        TO_THE_RESOLVER(lost(name, tier, policies_of(tier), default, meant))


@claim("netpol-oauth-hosts-reachable")
@needs("box", "proxy", "clone")
def test_the_host_that_a_tier_clones_from_is_listed(tiers_as_rendered: Tiers) -> None:
    """What is cloned in the checks of that is no host of the internet's."""
    via = proxy_of(tiers_as_rendered["default"])

    def unlisted(name: str, components: Sequence[str], entries: Sequence[str]) -> list[str]:
        hosts = [host for each in components for host in BROUGHT.get(each, ())]
        lines = [each.lower() for each in entries]
        found = [each for each in hosts if not any(fnmatchcase(each, line) for line in lines)]
        return observe("hosts on no list", name, found)

    brought = {host for hosts in BROUGHT.values() for host in hosts}
    others = [each for each in lists(tiers_as_rendered["default"], via) if each not in brought]
    with control("a list that does not have it is seen"):
        GIT_HOST.fails(unlisted("doctored", list(BROUGHT), others))
    for name, tier in tiers_as_rendered.items():
        GIT_HOST(unlisted(name, tier.components, lists(tier, via)))
