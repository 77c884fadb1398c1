"""The same rules for clusters with Cilium, as far as they can be read: none of ours has it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from boxproof.core.session import ClusterInfo, Session
from boxproof.deployment.box import workload_of
from boxproof.deployment.deploy import rendered
from boxproof.subject.manifests.pod_specs import labels
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from suites.netpol import cilium

COMPONENT = "cilium"
LIST = "allowed"


@pytest.fixture
def objects(session: Session, subject: Subject) -> list[dict[str, Any]]:
    """The rendered objects with the component."""
    if subject.path(f"{subject.manifests.components}/{COMPONENT}") is None:
        pytest.skip("the subject has no policy for Cilium")
    return rendered(session, components=(COMPONENT,))[0]


SAYS_THE_SAME = require(
    "the policy allows what the proxy allows, and any name resolves", lambda found: found == []
)


@claim("netpol-fqdn-allowlist-cilium")
def test_the_policy_names_what_the_proxy_allows(objects: list[dict[str, Any]]) -> None:
    policy = next(each for each in objects if each["kind"] == cilium.KIND)
    names = allowed(objects)
    assert names, "the proxy's list is empty"

    def problems(one: dict[str, Any], asked: str) -> list[str]:
        return observe("problems", asked, cilium.problems(one, names))

    for what, spoil in SPOILT.items():
        with control(f"{what}: it is seen"):
            wrong = copy.deepcopy(policy)
            spoil(wrong["spec"]["egress"])
            SAYS_THE_SAME.fails(problems(wrong, what))
    SAYS_THE_SAME(problems(policy, COMPONENT))


def one_name_resolves(rules: list[dict[str, Any]]) -> None:
    """Let one name alone be resolved."""
    rules[0]["toPorts"][0]["rules"]["dns"] = [{"matchPattern": "api.anthropic.com"}]


def its_own_namespace(rules: list[dict[str, Any]]) -> None:
    """Take the namespace away from the selector of the resolver."""
    del rules[0]["toEndpoints"][0]["matchLabels"][cilium.SPACE]


def everything_on_443(rules: list[dict[str, Any]]) -> None:
    """Allow 443 to the world."""
    rules.append({"toEntities": ["world"], "toPorts": [{"ports": [{"port": "443", "protocol": "TCP"}]}]})


def any_port(rules: list[dict[str, Any]]) -> None:
    """Allow a block of addresses on any port."""
    rules.append({"toCIDR": ["198.51.100.0/24"]})


SPOILT: dict[str, Callable[[list[dict[str, Any]]], None]] = {
    "one name alone resolves": one_name_resolves,
    "the resolver is looked for in its own namespace": its_own_namespace,
    "443 is allowed to the world": everything_on_443,
    "a block of addresses is allowed": any_port,
}


Policies = list[dict[str, Any]]
ABOUT_THE_AGENT = require(
    "the policies are about the agent alone, about its ways out alone, and about the resolver that there is",
    lambda found: found == [],
)


@claim("netpol-fqdn-allowlist-cilium")
def test_the_policy_is_about_the_agent_alone(objects: Policies, subject: Subject) -> None:
    workload = workload_of(objects, subject)
    space, own = workload["metadata"]["namespace"], workload["spec"]["selector"]["matchLabels"]
    policies = [each for each in objects if each["kind"] in (cilium.KIND, cilium.CLUSTERWIDE)]
    names = allowed(objects)

    def problems(found: Policies, asked: str) -> list[str]:
        every = [*cilium.astray(found, space, labels(workload), own)]
        every += [one for each in found for one in cilium.problems(each, names)]
        return observe("problems of all policies", asked, every)

    for what, spoil in ASTRAY.items():
        with control(f"{what}: it is seen"):
            wrong = copy.deepcopy(policies)
            spoil(wrong)
            ABOUT_THE_AGENT.fails(problems(wrong, what))
    ABOUT_THE_AGENT(problems(policies, COMPONENT))


def another_pod(policies: Policies) -> None:
    """Misspell the pod's label."""
    policies[0]["spec"]["endpointSelector"] = {"matchLabels": {"app": "claude"}}


def every_pod(policies: Policies) -> None:
    """Select all pods of the namespace."""
    policies[0]["spec"]["endpointSelector"] = {}


def another_namespace(policies: Policies) -> None:
    """Have it where no agent is."""
    policies[0]["metadata"]["namespace"] = "default"


def another_resolver(policies: Policies) -> None:
    """Look for the resolver by a label that it does not have."""
    policies[0]["spec"]["egress"][0]["toEndpoints"][0]["matchLabels"]["k8s:k8s-app"] = "coredns"


def somebody_gets_in(policies: Policies) -> None:
    """Let everybody in."""
    policies[0]["spec"]["ingress"] = [{"fromEntities": ["all"]}]


def one_policy_more(policies: Policies) -> None:
    """Allow everything by another policy."""
    policies.append(copy.deepcopy(policies[0]))
    policies[-1]["spec"]["egress"] = [{"toEntities": ["all"]}]


ASTRAY: dict[str, Callable[[Policies], None]] = {
    "another pod is selected": another_pod,
    "every pod is selected": every_pod,
    "it stands in another namespace": another_namespace,
    "the resolver has another label": another_resolver,
    "somebody gets in": somebody_gets_in,
    "a second policy allows everything": one_policy_more,
}


ONE_PORT_EACH = require(
    "each port that a policy opens is one, and of the API server those that it has",
    lambda found: found == [],
)


def from_a_port_on(rules: list[dict[str, Any]]) -> None:
    """Allow the names on every port from theirs on."""
    ports_of_the_names(rules)[0]["endPort"] = 65535


def a_port_without_a_number(rules: list[dict[str, Any]]) -> None:
    """Allow the names on all ports: that is what 0 says."""
    ports_of_the_names(rules)[0]["port"] = "0"


def the_kubelet(rules: list[dict[str, Any]]) -> None:
    """Allow one port more of the machine that has the API server."""
    rule = next(each for each in rules if "toEntities" in each)
    rule["toPorts"][0]["ports"].append({"port": "10250", "protocol": "TCP"})


def ports_of_the_names(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the ports on which names are allowed."""
    found: list[dict[str, Any]] = next(each for each in rules if "toFQDNs" in each)["toPorts"][0]["ports"]
    return found


WIDER: dict[str, Callable[[list[dict[str, Any]]], None]] = {
    "the names are allowed on all ports from 443 on": from_a_port_on,
    "the names are allowed on port 0": a_port_without_a_number,
    "the API server's kubelet is allowed": the_kubelet,
}


@claim("netpol-fqdn-allowlist-cilium")
def test_no_port_of_the_policy_is_more_than_one(objects: Policies) -> None:
    policies = [each for each in objects if each["kind"] in (cilium.KIND, cilium.CLUSTERWIDE)]
    names = allowed(objects)
    assert policies, "there is no policy for Cilium"

    def problems(found: Policies, asked: str) -> list[str]:
        every = [one for each in found for one in cilium.problems(each, names)]
        return observe("problems of ports", asked, every)

    for what, spoil in WIDER.items():
        with control(f"{what}: it is seen"):
            wrong = copy.deepcopy(policies)
            spoil(wrong[0]["spec"]["egress"])
            ONE_PORT_EACH.fails(problems(wrong, what))
    ONE_PORT_EACH(problems(policies, COMPONENT))


@claim("netpol-fqdn-allowlist-cilium")
def test_cilium_enforces_the_policy(cluster: ClusterInfo) -> None:
    pytest.skip(f"the policy was read, not tried: no cluster of ours has Cilium, this one has {cluster.cni}")


def allowed(objects: list[dict[str, Any]]) -> list[str]:
    """Return the names on the proxy's list."""
    texts = [each["data"][LIST] for each in objects if each["kind"] == "ConfigMap" and LIST in each["data"]]
    return [each for text in texts for each in text.split()]
