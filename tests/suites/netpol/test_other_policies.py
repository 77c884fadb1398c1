"""What policies of other APIs let out is told from what they leave to the list, and to others' pods."""

from __future__ import annotations

from typing import Any

import pytest

from suites.netpol import cilium
from suites.netpol.other_policies import let_out

NAMES = ("api.example.com", "*.example.org")
AGENT = {"app": "agent"}
SELECTED = {"endpointSelector": {"matchLabels": AGENT}}
HTTPS = {"toPorts": [{"ports": [{"port": "443", "protocol": "TCP"}]}]}
NAMED = {"toFQDNs": [{"matchName": "api.example.com"}, {"matchPattern": "*.example.org"}], **HTTPS}
WORLD = {"toEntities": ["world"], **HTTPS}
PROXY = {"toEndpoints": [{"matchLabels": {"app": "proxy"}}], "toPorts": [{"ports": [{"port": "3128"}]}]}
PUBLIC = {"networks": ["0.0.0.0/0"]}


def found(kind: str, spec: dict[str, Any], group: str = "cilium.io/v2", **more: Any) -> list[str]:
    meta = {"name": "a", "namespace": "here"}
    made = {"apiVersion": group, "kind": kind, "metadata": meta, "spec": spec, **more}
    space = {"kind": "Namespace", "metadata": {"name": "here", "labels": {"team": "a"}}}
    return list(let_out([space, made], "here", AGENT, NAMES))


@pytest.mark.parametrize(
    ("spec", "wide"),
    [
        (SELECTED, False),
        (SELECTED | {"egress": [{}]}, False),
        (SELECTED | {"egress": [NAMED, PROXY]}, False),
        (SELECTED | {"egress": [{"toEntities": ["kube-apiserver"], **HTTPS}]}, False),
        (SELECTED | {"egress": [WORLD]}, True),
        (SELECTED | {"egress": [{"toFQDNs": [{"matchName": "other.example.com"}], **HTTPS}]}, True),
        (SELECTED | {"egress": [{"toCIDR": ["192.0.2.0/24"], **HTTPS}]}, True),
        (SELECTED | {"egress": [HTTPS]}, True),
        ({"endpointSelector": {"matchLabels": {"app": "proxy"}}, "egress": [WORLD]}, False),
        ({"endpointSelector": {"matchLabels": {"k8s:app": "agent"}}, "egress": [WORLD]}, True),
    ],
)
def test_what_cilium_lets_out(spec: dict[str, Any], wide: bool) -> None:
    assert bool(found(cilium.KIND, spec)) == wide
    assert bool(found(cilium.CLUSTERWIDE, spec)) == wide
    assert bool(found(cilium.KIND, {}, specs=[spec])) == wide


@pytest.mark.parametrize(
    ("subject", "rule", "wide"),
    [
        ({"namespaces": {}}, {"action": "Allow", "to": [PUBLIC]}, True),
        ({"namespaces": {}}, {"action": "Accept", "to": [PUBLIC]}, True),
        ({"namespaces": {}}, {"action": "Deny", "to": [PUBLIC]}, False),
        ({"namespaces": {}}, {"action": "Pass", "to": [PUBLIC]}, False),
        ({"namespaces": {}}, {"action": "Allow", "to": [{"pods": {"podSelector": {}}}]}, False),
        ({"namespaces": {}}, {"action": "Allow", "to": [{"domainNames": [NAMES[0]]}]}, False),
        ({"namespaces": {}}, {"action": "Allow", "to": [{"domainNames": ["example.net"]}]}, True),
        ({"namespaces": {"matchLabels": {"team": "a"}}}, {"action": "Allow", "to": [PUBLIC]}, True),
        ({"namespaces": {"matchLabels": {"team": "b"}}}, {"action": "Allow", "to": [PUBLIC]}, False),
        ({"pods": {"podSelector": {"matchLabels": AGENT}}}, {"action": "Allow", "to": [PUBLIC]}, True),
        (
            {"pods": {"podSelector": {"matchLabels": {"app": "b"}}}},
            {"action": "Allow", "to": [PUBLIC]},
            False,
        ),
    ],
)
def test_what_an_administrator_lets_out(subject: dict[str, Any], rule: dict[str, Any], wide: bool) -> None:
    spec, group = {"subject": subject, "egress": [rule]}, "policy.networking.k8s.io/v1alpha1"
    assert bool(found("AdminNetworkPolicy", spec, group)) == wide
    assert found("BaselineAdminNetworkPolicy", spec, group) == []


def test_kubernetes_own_policies_are_none_of_these() -> None:
    spec: dict[str, Any] = {"podSelector": {}, "egress": [{}]}
    assert found("NetworkPolicy", spec, "networking.k8s.io/v1") == []
