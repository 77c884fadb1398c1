"""What no NetworkPolicy says: policies of other APIs, and pods that run the box's image under no policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from boxproof.deployment.box import Box
from boxproof.kube.client import Object
from boxproof.kube.network_policies import Direction, openings
from boxproof.subject.manifests.pod_specs import containers, labels
from pytest_claims import claim, control, needs, observe, require
from suites.netpol import cilium
from suites.netpol.meant import lists, proxy_of
from suites.netpol.other_policies import ADMINS, let_out
from suites.netpol.test_tiers import policies_of

NO_WIDER = require("no policy of another API lets the agent out to anybody else", lambda found: found == [])
EACH_SELECTED = require(
    "in both directions a policy selects each pod that runs the box's image", lambda found: found == []
)
NO_POLICY = "no policy"  # of openings, where none selects the pod
BOTH: tuple[Direction, Direction] = ("Egress", "Ingress")
WORLD = {"toEntities": ["world"], "toPorts": [{"ports": [{"port": "443", "protocol": "TCP"}]}]}
ANOTHER = {"toFQDNs": [{"matchName": "packages.example.org"}], "toPorts": WORLD["toPorts"]}


def more_policies(tier: Box) -> dict[str, Object]:
    """Return policies of other APIs that let a tier's agent out, each in its own way."""
    meta = {"name": "one-more", "namespace": tier.namespace}
    agent = {"matchLabels": dict(tier.labels)}
    every: dict[str, Any] = {"namespaces": {}}
    public = {"action": "Allow", "to": [{"networks": ["0.0.0.0/0"]}]}
    made = {
        "the world, by Cilium": (cilium.KIND, {"endpointSelector": agent, "egress": [WORLD]}),
        "another name, by Cilium": (cilium.CLUSTERWIDE, {"endpointSelector": {}, "egress": [ANOTHER]}),
        "all networks, by an administrator": (
            "AdminNetworkPolicy",
            {"subject": every, "priority": 1, "egress": [public]},
        ),
    }
    return {
        what: {"apiVersion": f"{ADMINS}v1alpha1", "kind": kind, "metadata": meta, "spec": spec}
        for what, (kind, spec) in made.items()
    }


@claim("netpol-unlisted-hosts-blocked")
@needs("box", "proxy")
def test_no_policy_of_another_api_lets_the_agent_out(tiers_as_rendered: Mapping[str, Box]) -> None:
    """Cilium adds what its own policies allow; an administrator's goes before every NetworkPolicy."""
    default = tiers_as_rendered["default"]
    via = proxy_of(default)

    def found(name: str, tier: Box, objects: Sequence[Object]) -> list[str]:
        wide = let_out(objects, tier.namespace, tier.labels, lists(tier, via))
        return observe("let out by policies of other APIs", name, sorted(wide))

    for what, policy in more_policies(default).items():
        with control(f"{what}: it is seen"):
            NO_WIDER.fails(found(what, default, [*default.objects, policy]))
    for name, tier in tiers_as_rendered.items():
        NO_WIDER(found(name, tier, tier.objects))


@claim("netpol-selects-the-pod")
@needs("box")
def test_in_every_tier_a_policy_selects_each_pod_of_the_box(tiers_as_rendered: Mapping[str, Box]) -> None:
    """What a tier runs beside the agent has the same programs, and may have its volume."""

    def free(name: str, tier: Box, policies: Sequence[Object]) -> list[str]:
        agent = next(each for each in tier.spec["containers"] if each["name"] == tier.container)
        every = (each for each in tier.objects if runs(each, agent["image"]))
        found = [
            f"{each['kind']}/{each['metadata']['name']}: {way}"
            for each in every
            for way in BOTH
            for opened in openings(policies, str(each["metadata"].get("namespace")), labels(each), way)
            if opened.policy == NO_POLICY
        ]
        return observe("pods that no policy selects", f"{name}, {len(policies)} policies", sorted(found))

    default = tiers_as_rendered["default"]
    own = policies_of(default)
    with control("without any, and with one for what goes out alone, they are seen"):
        EACH_SELECTED.fails(free("default", default, []))
        outwards = [each | {"spec": each["spec"] | {"policyTypes": ["Egress"]}} for each in own]
        EACH_SELECTED.fails(free("default", default, outwards))
    for name, tier in tiers_as_rendered.items():
        EACH_SELECTED(free(name, tier, policies_of(tier)))


def runs(item: Object, image: str) -> bool:
    """Return whether a pod of an object runs an image."""
    return any(each.get("image") == image for _, each in containers([item]))
