"""What policies allow is read from them as the API defines it."""

from __future__ import annotations

from typing import Any

import pytest

from boxproof.kube.network_policies import Place, allowed, of_nodes, of_pod
from pytest_claims.faults import EnvironmentFault

SYSTEM = {"kubernetes.io/metadata.name": "kube-system"}
AGENT = Place("agent", "10.244.1.2", "claude", {"app": "agent"})
OTHER = Place("other", "10.244.1.3", "claude", {"app": "other"})
DNS = Place("dns", "10.244.0.2", "kube-system", {"k8s-app": "kube-dns"}, SYSTEM)
OUTSIDE = Place("outside", "198.51.100.7")


def policy(**spec: Any) -> dict[str, Any]:
    """Return a policy of the agent's namespace that selects the agent."""
    spec = {"podSelector": {"matchLabels": {"app": "agent"}}} | spec
    return {"kind": "NetworkPolicy", "metadata": {"name": "one", "namespace": "claude"}, "spec": spec}


def ports(*numbers: int) -> list[dict[str, Any]]:
    """Return TCP ports."""
    return [{"protocol": "TCP", "port": each} for each in numbers]


def test_without_a_policy_everything_is_allowed() -> None:
    assert allowed([], AGENT, OUTSIDE, 443, "TCP")
    elsewhere = policy(egress=[], policyTypes=["Egress"])
    elsewhere["metadata"]["namespace"] = "another"
    assert allowed([elsewhere], AGENT, OUTSIDE, 443, "TCP")


def test_a_direction_that_no_policy_speaks_about_stays_open() -> None:
    ingress = policy(policyTypes=["Ingress"])
    assert allowed([ingress], AGENT, OUTSIDE, 443, "TCP")
    assert not allowed([ingress], OTHER, AGENT, 443, "TCP")


def test_left_out_types_follow_from_the_rules() -> None:
    assert not allowed([policy(egress=[{"ports": ports(443)}])], AGENT, OUTSIDE, 80, "TCP")
    assert allowed([policy(egress=[])], AGENT, OUTSIDE, 80, "TCP")


@pytest.mark.parametrize(
    ("port", "protocol", "may"), [(443, "TCP", True), (443, "UDP", False), (444, "TCP", False)]
)
def test_a_port_is_a_number_of_one_protocol(port: int, protocol: str, may: bool) -> None:
    rules = [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": ports(443)}]
    assert allowed([policy(egress=rules, policyTypes=["Egress"])], AGENT, OUTSIDE, port, protocol) is may


def test_a_range_of_ports_has_both_its_ends() -> None:
    rules = [{"ports": [{"port": 30, "endPort": 40}]}]
    found = [
        allowed([policy(egress=rules, policyTypes=["Egress"])], AGENT, OUTSIDE, each, "TCP")
        for each in (29, 30, 40, 41)
    ]
    assert found == [False, True, True, False]


def test_a_port_with_a_name_cannot_be_judged() -> None:
    named = policy(egress=[{"ports": [{"port": 80}, {"port": "http"}]}])
    with pytest.raises(EnvironmentFault, match="NetworkPolicy one: what port 'http'"):
        allowed([named], AGENT, OTHER, 80, "TCP")


def test_an_exception_is_taken_out_of_its_block() -> None:
    block = {"cidr": "0.0.0.0/0", "except": ["198.51.100.0/24"]}
    rules = [{"to": [{"ipBlock": block}]}]
    assert not allowed([policy(egress=rules, policyTypes=["Egress"])], AGENT, OUTSIDE, 443, "TCP")


def test_a_pod_selector_alone_means_the_own_namespace() -> None:
    rules: list[dict[str, Any]] = [{"to": [{"podSelector": {}}]}]
    mine = [policy(egress=rules, policyTypes=["Egress"])]
    assert allowed(mine, AGENT, OTHER, 80, "TCP")
    assert not allowed(mine, AGENT, DNS, 80, "TCP")


def test_both_selectors_of_one_peer_have_to_hold() -> None:
    peer = {
        "namespaceSelector": {"matchLabels": SYSTEM},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    mine = [policy(egress=[{"to": [peer], "ports": ports(53)}], policyTypes=["Egress"])]
    assert allowed(mine, AGENT, DNS, 53, "TCP")
    assert not allowed(mine, AGENT, Place("x", "10.244.0.3", "kube-system", {}, SYSTEM), 53, "TCP")
    assert not allowed(mine, AGENT, Place("x", "10.244.0.3", "other", {"k8s-app": "kube-dns"}), 53, "TCP")


def test_policies_add_up_and_both_ends_have_to_allow() -> None:
    out = policy(egress=[{"ports": ports(80)}], policyTypes=["Egress"])
    more = policy(egress=[{"ports": ports(443)}], policyTypes=["Egress"])
    closed = policy(podSelector={"matchLabels": {"app": "other"}}, policyTypes=["Ingress"])
    assert allowed([out, more], AGENT, OTHER, 443, "TCP")
    assert not allowed([out, more, closed], AGENT, OTHER, 443, "TCP")


def test_expressions_select_too() -> None:
    expressions = [
        {"key": "app", "operator": "NotIn", "values": ["other"]},
        {"key": "x", "operator": "DoesNotExist"},
    ]
    found = of_pod([policy(podSelector={"matchExpressions": expressions})], {"app": "agent"})
    assert len(found) == 1
    assert of_pod(found, {"app": "other"}) == []


def test_a_node_has_the_addresses_that_it_says_and_no_names() -> None:
    said = [
        ("InternalIP", "10.0.0.7"),
        ("Hostname", "one"),
        ("ExternalIP", "203.0.113.7"),
        ("InternalIP", "fd00::7"),
    ]
    addresses = [{"type": kind, "address": each} for kind, each in said]
    nodes: list[dict[str, Any]] = [{"status": {"addresses": addresses}}, {"status": {}}, {}]
    assert of_nodes([*nodes, *nodes]) == ["10.0.0.7/32", "203.0.113.7/32", "fd00::7/128"]
