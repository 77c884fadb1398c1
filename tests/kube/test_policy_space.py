"""What policies open over the whole space, compared with what they allow point by point."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxproof.kube import network_policies
from boxproof.kube.network_policies import (
    Opening,
    Place,
    covered,
    demands,
    of_pods,
    one_way,
    openings,
    without,
)

LABELS = {"app": "agent"}
DNS = {53: frozenset({"TCP", "UDP"})}
SYSTEM = {"matchLabels": {"kubernetes.io/metadata.name": "sys"}}
RESOLVER = {"matchLabels": {"k": "dns"}}


def policy(*egress: dict[str, Any], types: list[str] | None = None) -> dict[str, Any]:
    spec = {
        "podSelector": {"matchLabels": LABELS},
        "policyTypes": types or ["Egress"],
        "egress": list(egress),
    }
    return {"kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "ours"}, "spec": spec}


def block(cidr: str, *excepted: str, port: int = 443, **more: Any) -> dict[str, Any]:
    peer = {"ipBlock": {"cidr": cidr, "except": list(excepted)}}
    return {"to": [peer], "ports": [{"protocol": "TCP", "port": port} | more]}


def opened(*egress: dict[str, Any]) -> list[Opening]:
    return openings([policy(*egress)], "ours", LABELS, "Egress")


def test_without_a_policy_everything_is_open() -> None:
    for policies in ([], [policy(types=["Ingress"])]):
        [found] = openings(policies, "ours", LABELS, "Egress")
        assert found.peers.everyone
        assert found.text == "no policy: everyone on all ports/any"
    assert openings([policy()], "ours", LABELS, "Egress") == []


def test_a_rule_without_ports_or_peers_opens_all_of_them() -> None:
    [found] = opened({})
    assert found.peers.everyone and found.ports == network_policies.PORTS and found.protocol == "any"
    [named] = opened({"to": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": "http"}]})
    assert named.ports == network_policies.PORTS


@pytest.mark.parametrize(
    ("rule", "fine"),
    [
        (block("192.0.2.1/32"), True),
        (block("192.0.2.0/31", "192.0.2.0/32"), True),
        (block("192.0.2.0/31"), False),
        (block("192.0.2.1/32", port=22), False),
        (block("192.0.2.1/32", endPort=444), False),
        (block("0.0.0.0/0", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"), False),
        (block("::/0"), False),
        ({"ports": [{"protocol": "TCP", "port": 443}]}, False),
        ({"to": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": 443}]}, False),
    ],
)
def test_one_address_on_one_port(rule: dict[str, Any], fine: bool) -> None:
    [found] = opened(rule)
    assert covered(found, [ipaddress.ip_network("192.0.2.1/32")], [443]) is fine


@pytest.mark.parametrize(
    ("peers", "fine"),
    [
        ([{"namespaceSelector": SYSTEM, "podSelector": RESOLVER}], [True]),
        ([{"namespaceSelector": {}, "podSelector": RESOLVER}], [False]),
        ([{"podSelector": RESOLVER}], [False]),
        (
            [
                {"namespaceSelector": SYSTEM},
                {"podSelector": RESOLVER},
            ],
            [False, False],
        ),
    ],
)  # fmt: skip
def test_a_dash_too_many_is_two_peers(peers: list[dict[str, Any]], fine: list[bool]) -> None:
    found = opened({"to": peers, "ports": [{"protocol": "UDP", "port": 53}]})
    assert [of_pods(each, {"k": "dns"}, "sys", DNS) for each in found] == fine


def test_a_selector_demands_a_label_only_if_nothing_without_it_matches() -> None:
    one = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["x"]}]}
    two = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["x", "y"]}]}
    there = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}
    assert [demands(each, {"app": "x"}) for each in (one, two, there, {})] == [True, False, False, False]


ADDRESSES = st.integers(0, 2**32 - 1).map(lambda number: str(ipaddress.ip_address(number)))
NETWORKS = st.builds(
    lambda address, length: str(ipaddress.ip_network(f"{address}/{length}", strict=False)),
    ADDRESSES,
    st.integers(0, 32),
)


@given(NETWORKS, st.lists(NETWORKS, max_size=4), st.lists(ADDRESSES, min_size=1), st.integers(0, 65535))
def test_the_space_agrees_with_every_point(
    cidr: str, excepted: list[str], addresses: list[str], port: int
) -> None:
    inside = [each for each in excepted if ipaddress.ip_network(each).subnet_of(ipaddress.ip_network(cidr))]  # type: ignore[arg-type]
    written = policy(block(cidr, *inside, port=80, endPort=9000))
    [found] = openings([written], "ours", LABELS, "Egress")
    pod = Place("pod", "10.0.0.1", "ours", LABELS)
    for address in addresses:
        point = ipaddress.ip_address(address)
        symbolic = (
            any(point in each for each in found.peers.networks) and found.ports[0] <= port <= found.ports[1]
        )
        assert symbolic is one_way([written], pod, Place("there", address), port, "TCP", "Egress")


def test_what_is_left_keeps_its_family() -> None:
    left = without(network_policies.EVERYWHERE, [ipaddress.ip_network("0.0.0.0/0")])
    assert left == [ipaddress.ip_network("::/0")]
