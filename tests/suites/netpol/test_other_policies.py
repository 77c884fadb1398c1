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


AGENTS = {"selector": "app == 'agent'"}
NETS = {"nets": ["0.0.0.0/0"]}


@pytest.mark.parametrize(
    ("spec", "wide"),
    [
        ({}, False),
        (AGENTS | {"egress": [{"action": "Allow"}]}, True),
        (AGENTS | {"egress": [{"action": "Allow", "destination": NETS}]}, True),
        (AGENTS | {"types": ["Ingress"], "egress": [{"action": "Allow"}]}, False),
        (AGENTS | {"egress": [{"action": "Deny"}, {"action": "Pass"}]}, False),
        (AGENTS | {"egress": [{"action": "Allow", "destination": {"selector": "app == 'proxy'"}}]}, False),
        (AGENTS | {"egress": [{"action": "Allow", "destination": {"selector": "net == 'all'"}}]}, True),
        (AGENTS | {"egress": [{"action": "Allow", "destination": {"ports": [443]}}]}, True),
        (AGENTS | {"egress": [{"action": "Allow", "destination": {"domains": [NAMES[0]]}}]}, False),
        (AGENTS | {"egress": [{"action": "Allow", "destination": {"domains": ["*.example.net"]}}]}, True),
        (
            AGENTS
            | {"egress": [{"action": "Allow", "destination": {"nets": ["10.96.0.1/32"], "ports": [443]}}]},
            False,
        ),
        ({"selector": "app == 'proxy'", "egress": [{"action": "Allow"}]}, False),
        ({"egress": [{"action": "Allow"}]}, True),
        ({"selector": "all()", "egress": [{"action": "Allow"}]}, True),
        ({"selector": "!has(app)", "egress": [{"action": "Allow"}]}, False),
        ({"selector": "app in {'agent', \"b\"} && !(app == 'b')", "egress": [{"action": "Allow"}]}, True),
        ({"selector": "app not in {'agent'} || tier == 'x'", "egress": [{"action": "Allow"}]}, False),
        ({"selector": "app starts with 'ag'", "egress": [{"action": "Allow"}]}, True),
        ({"selector": "app != 'agent'", "egress": [{"action": "Allow"}]}, False),
    ],
)
def test_what_calico_lets_out(spec: dict[str, Any], wide: bool) -> None:
    meta, space = {"name": "a", "namespace": "here"}, {"kind": "Namespace", "metadata": {"name": "here"}}
    every = {"kind": "GlobalNetworkSet", "metadata": {"name": "s", "labels": {"net": "all"}}}
    for group in ("projectcalico.org/v3", "crd.projectcalico.org/v1"):
        for kind in ("NetworkPolicy", "GlobalNetworkPolicy"):
            made = {"apiVersion": group, "kind": kind, "metadata": meta, "spec": spec}
            assert bool(list(let_out([space, every, made], "here", AGENT, NAMES))) == wide, kind


def test_calicos_policies_of_other_namespaces_are_no_matter() -> None:
    spec = {"namespaceSelector": "team == 'b'", "egress": [{"action": "Allow"}]}
    assert found("GlobalNetworkPolicy", spec, "projectcalico.org/v3") == []
    assert found("GlobalNetworkPolicy", spec | {"namespaceSelector": "has(team)"}, "projectcalico.org/v3")
    assert found("StagedNetworkPolicy", {"egress": [{"action": "Allow"}]}, "projectcalico.org/v3") == []


ALL: dict[str, Any] = {"appliedTo": [{"podSelector": {"matchLabels": AGENT}}]}


@pytest.mark.parametrize(
    ("spec", "wide"),
    [
        (ALL | {"egress": [{"action": "Allow"}]}, True),
        (ALL | {"tier": "Baseline", "egress": [{"action": "Allow"}]}, False),
        (ALL | {"egress": [{"action": "Drop"}]}, False),
        (ALL | {"egress": [{"action": "Allow", "to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}, True),
        (ALL | {"egress": [{"action": "Allow", "to": [{"podSelector": {}}]}]}, False),
        (ALL | {"egress": [{"action": "Allow", "to": [{"fqdn": NAMES[0]}]}]}, False),
        (ALL | {"egress": [{"action": "Allow", "to": [{"fqdn": "*.example.net"}]}]}, True),
        (ALL | {"egress": [{"action": "Allow", "toServices": [{"name": "kubernetes"}]}]}, False),
        ({"egress": [{"action": "Allow", "appliedTo": [{"podSelector": {}}]}]}, True),
        (
            {"appliedTo": [{"podSelector": {"matchLabels": {"app": "b"}}}], "egress": [{"action": "Allow"}]},
            False,
        ),
        ({"appliedTo": [{"namespaceSelector": {}}], "egress": [{"action": "Allow"}]}, True),
    ],
)
def test_what_antrea_lets_out(spec: dict[str, Any], wide: bool) -> None:
    for kind in ("NetworkPolicy", "ClusterNetworkPolicy"):
        assert bool(found(kind, spec, "crd.antrea.io/v1beta1")) == wide, kind


def test_the_last_tier_of_administrators_is_no_matter() -> None:
    spec = {"subject": {"namespaces": {}}, "egress": [{"action": "Accept", "to": [PUBLIC]}]}
    group = "policy.networking.k8s.io/v1alpha2"
    assert found("ClusterNetworkPolicy", spec | {"tier": "Admin"}, group)
    assert found("ClusterNetworkPolicy", spec | {"tier": "Baseline"}, group) == []
