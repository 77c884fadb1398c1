"""What holds of the policies of every tier, whatever it opens: whom they select, what they leave out."""

from __future__ import annotations

from collections.abc import Mapping

from boxproof.deployment.box import Box
from boxproof.kube.client import Kube, Object
from boxproof.kube.network_policies import covered, of_pod, openings, without
from pytest_claims import claim, control, needs, observe, require
from suites.netpol.meant import api_servers, inside, with_rule
from suites.netpol.test_tiers import policies_of

OUTSIDE = require("what a tier opens to addresses is outside the cluster", lambda found: found == [])


@claim("netpol-unlisted-hosts-blocked")
@needs("box")
def test_what_a_tier_opens_to_addresses_is_outside_the_cluster(
    kube: Kube, tiers_as_rendered: Mapping[str, Box]
) -> None:
    """A tier that is there to open a port opens it to the world, not to pods, Services, nodes, metadata."""
    inner, servers = inside(kube), api_servers(kube)

    def within(name: str, tier: Box, policies: list[Object]) -> list[str]:
        found = openings(policies, tier.namespace, dict(tier.labels), "Egress")
        wrong = [
            each.text
            for each in found
            if any(without([one], each.peers.networks) != [one] for one in inner)
            and not covered(each, servers.networks, servers.ports)
        ]
        return observe("within the cluster", name, sorted(wrong))

    default, ports = tiers_as_rendered["default"], [{"protocol": "TCP", "port": 443}]
    places = {"everything": "0.0.0.0/0", "the metadata address": "169.254.169.254/32"}
    for what, cidr in places.items():
        rule = {"to": [{"ipBlock": {"cidr": cidr}}], "ports": ports}
        with control(f"a rule more, for {what}, is seen"):
            OUTSIDE.fails(within("default", default, with_rule(policies_of(default), default.labels, rule)))
    for name, tier in tiers_as_rendered.items():
        OUTSIDE(within(name, tier, policies_of(tier)))


BOTH_WAYS = ["Egress", "Ingress"]
NO_POD = {"matchLabels": {"app": "another"}}
SELECTED = require("in both directions a policy selects a tier's pod", lambda found: found == BOTH_WAYS)
WRITTEN = require("a policy of the tier with rules of egress has the type Egress", lambda found: found == [])


@claim("netpol-selects-the-pod")
@needs("box")
def test_in_every_tier_a_policy_selects_the_pod(tiers_as_rendered: Mapping[str, Box]) -> None:
    """A component may give the pod another label, or the policy another selector."""

    def directions(name: str, tier: Box, policies: list[Object]) -> list[str]:
        near = [each for each in policies if each["metadata"].get("namespace") == tier.namespace]
        types = {one for each in of_pod(near, tier.labels) for one in each["spec"].get("policyTypes") or ()}
        return observe("directions in which it is selected", name, sorted(types))

    default = tiers_as_rendered["default"]
    own = policies_of(default)
    wrong = {
        "of another namespace": [each | {"metadata": {"name": "a", "namespace": "another"}} for each in own],
        "of another label": [each | {"spec": each["spec"] | {"podSelector": NO_POD}} for each in own],
        "about ingress alone": [each | {"spec": each["spec"] | {"policyTypes": ["Ingress"]}} for each in own],
    }
    for what, policies in wrong.items():
        with control(f"policies {what} are seen"):
            SELECTED.fails(directions("default", default, policies))
    for name, tier in tiers_as_rendered.items():
        SELECTED(directions(name, tier, policies_of(tier)))


@claim("netpol-egress-type-present")
@needs("box")
def test_no_tier_has_rules_of_egress_without_the_type(tiers_as_rendered: Mapping[str, Box]) -> None:
    """Whatever pod they are of: the agent's, its proxy's, a job's."""

    def untyped(name: str, policies: list[Object]) -> list[str]:
        found = [
            each["metadata"]["name"]
            for each in policies
            if "egress" in each["spec"] and "Egress" not in (each["spec"].get("policyTypes") or ())
        ]
        return observe("rules of egress without the type", name, sorted(found))

    with control("a policy that says Ingress, and one that says nothing, are seen"):
        for said in ({"policyTypes": ["Ingress"]}, {}):
            policy: Object = {"metadata": {"name": "one-more"}, "spec": {"egress": [], **said}}
            WRITTEN.fails(untyped("doctored", [policy]))
    for name, tier in tiers_as_rendered.items():
        WRITTEN(untyped(name, policies_of(tier)))
