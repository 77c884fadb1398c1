"""Changes that open the agent's network, shut it off, or leave the policy without effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from boxproof.kube.client import Kube
from boxproof.kube.states import rolled_out
from boxproof.proof.sabotages import Objects, cluster_sabotage, find, manifest_sabotage
from boxproof.session import Session


def _policy(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = find(objects, "NetworkPolicy")["spec"]
    return spec


def _without(objects: Objects, port: int, protocol: str = "") -> None:
    """Drop ``port`` (of one protocol) from every egress rule, and the rules left without a port."""
    rules = _policy(objects)["egress"]
    for rule in rules:
        rule["ports"] = [
            each for each in rule["ports"] if each["port"] != port or protocol not in ("", each["protocol"])
        ]
    _policy(objects)["egress"] = [rule for rule in rules if rule["ports"]]


@manifest_sabotage("netpol-selects-the-pod", "the selector has a typing error")
def misspelt_selector(objects: Objects) -> None:
    _policy(objects)["podSelector"] = {"matchLabels": {"app": "claude-agnet"}}


@manifest_sabotage("netpol-selects-the-pod", "there is no policy")
def no_policy(objects: Objects) -> None:
    objects.remove(find(objects, "NetworkPolicy"))


@manifest_sabotage("netpol-dns-works-udp-tcp", "the DNS rule is missing")
def no_dns(objects: Objects) -> None:
    _without(objects, 53)


@manifest_sabotage("netpol-dns-works-udp-tcp", "DNS over TCP is missing")
def no_dns_over_tcp(objects: Objects) -> None:
    _without(objects, 53, "TCP")


@manifest_sabotage("netpol-apiserver-reachable", "the API server's addresses are not listed")
def no_apiserver(objects: Objects) -> None:
    rules = _policy(objects)["egress"]
    _policy(objects)["egress"] = [
        rule
        for rule in rules
        if not any("/32" in peer.get("ipBlock", {}).get("cidr", "") for peer in rule["to"])
    ]


@manifest_sabotage("netpol-other-ports-blocked", "an empty rule allows all egress")
def allow_all_egress(objects: Objects) -> None:
    _policy(objects)["egress"].append({})


@manifest_sabotage("netpol-ingress-denied-nothing-listens", "an empty rule allows all ingress")
def allow_all_ingress(objects: Objects) -> None:
    _policy(objects)["ingress"] = [{}]


@manifest_sabotage("netpol-ingress-denied-nothing-listens", "the policy does not speak about ingress")
def no_ingress_type(objects: Objects) -> None:
    _policy(objects)["policyTypes"] = ["Egress"]
    del _policy(objects)["ingress"]


@manifest_sabotage("netpol-egress-type-present", "the policy does not speak about egress")
def no_egress_type(objects: Objects) -> None:
    _policy(objects)["policyTypes"] = ["Ingress"]
    del _policy(objects)["egress"]


@manifest_sabotage("netpol-pod-stays-healthy-and-rollback", "everything is denied, nothing allowed")
def nothing_allowed(objects: Objects) -> None:
    _policy(objects)["egress"] = []


@cluster_sabotage("netpol-enforced-by-cni", "the pod network runs with its firewall off")
def firewall_off(_session: Session, kube: Kube) -> Iterator[None]:
    path = kube.path("DaemonSet", "kube-router", "kube-system")
    before = kube.get("DaemonSet", "kube-router", "kube-system")["spec"]["template"]["spec"]["containers"][0]
    command = [each.replace("--run-firewall=true", "--run-firewall=false") for each in before["command"]]
    try:
        _roll(kube, path, before["name"], command)
        yield
    finally:
        _roll(kube, path, before["name"], before["command"])


def _roll(kube: Kube, path: str, name: str, command: list[str]) -> None:
    containers = [{"name": name, "command": command}]
    body = {"spec": {"template": {"spec": {"containers": containers}}}}
    kube.patch(path, body, "strategic-merge-patch+json")
    rolled_out(kube, "DaemonSet", "kube-router", "kube-system")
