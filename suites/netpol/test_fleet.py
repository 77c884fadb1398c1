"""The network of several agents from one values file: what is said of one is no other's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from boxproof.fixtures.helm_release import Charts
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope

AGENT, OTHER = "alpha", "beta"
KINDS = ("NetworkPolicy", "CiliumNetworkPolicy", "ConfigMap")
WIDER: dict[str, Any] = {
    "openEgress": True,
    "cilium": True,
    "allowed": ["api.anthropic.com", "one-more.example.org"],
    "except": ["192.0.2.0/24"],
}
ITS_OWN = require("policies and lists of an agent are those that were said of it", lambda found: found == [])


@claim("netpol-unlisted-hosts-blocked")
@needs("box", "fleet")
@scope("image")
def test_what_a_fleet_says_of_one_agents_network_is_no_others(charts: Charts, subject: Subject) -> None:
    usual = yaml.safe_load((charts.chart / "values.yaml").read_text())["network"]

    def network(all_: Mapping[str, Any], own: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
        """Return the policies and settings of one agent, by what is said of all, of it, and of another."""
        agents = {AGENT: {"network": own}, OTHER: {"network": other}}
        given = (f"--set-json=network={json.dumps(all_)}", f"--set-json=agents={json.dumps(agents)}")
        space = f"{subject.namespace}-{AGENT}"
        return {
            f"{each['kind']}/{each['metadata']['name']}": each.get("spec") or each.get("data")
            for each in charts.rendered(*given)
            if each["kind"] in KINDS and each["metadata"].get("namespace") == space
        }

    plain = network({}, {}, {})
    assert plain, "the agent has neither policies nor settings"

    def differ(asked: str, found: Mapping[str, Any]) -> list[str]:
        names = sorted(each for each in {*plain, *found} if plain.get(each) != found.get(each))
        return observe("differs from an agent of which nothing is said", asked, names)

    for key, value in WIDER.items():
        said, refused = {key: value}, {key: usual[key]}
        with control(f"{key}, said of all, is seen"):
            ITS_OWN.fails(differ(f"{key} of all", network(said, {}, {})))
        ITS_OWN(differ(f"{key} of the other", network({}, {}, said)))
        ITS_OWN(differ(f"{key} of all but it", network(said, refused, {})))
