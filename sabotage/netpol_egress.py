"""Changes that let the agent out further than to what it needs, or not as far."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boxproof.deployment.sabotage_ways import Objects, edited, find, image_sabotage, manifest_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage
from sabotage.box_parts import agent_policy, but_private, let_out, lowered, pod_of, ports


def _without(objects: Objects, port: int, protocol: str = "") -> None:
    """Drop ``port`` (of one protocol) from every egress rule, and the rules left without a port."""
    rules = agent_policy(objects)["egress"]
    for rule in rules:
        rule["ports"] = [
            each for each in rule["ports"] if each["port"] != port or protocol not in ("", each["protocol"])
        ]
    agent_policy(objects)["egress"] = [rule for rule in rules if rule["ports"]]


@manifest_sabotage("netpol-dns-works-udp-tcp", "the DNS rule is missing")
def no_dns(objects: Objects) -> None:
    _without(objects, 53)


@manifest_sabotage("netpol-dns-works-udp-tcp", "DNS over TCP is missing")
def no_dns_over_tcp(objects: Objects) -> None:
    _without(objects, 53, "TCP")


@manifest_sabotage("netpol-apiserver-reachable", "the API server's addresses are not listed")
def no_apiserver(objects: Objects) -> None:
    rules = agent_policy(objects)["egress"]
    agent_policy(objects)["egress"] = [
        rule
        for rule in rules
        if not any("/32" in peer.get("ipBlock", {}).get("cidr", "") for peer in rule["to"])
    ]


@manifest_sabotage("netpol-other-ports-blocked", "an empty rule allows all egress")
def allow_all_egress(objects: Objects) -> None:
    agent_policy(objects)["egress"].append({})


@manifest_sabotage(
    "netpol-other-ports-blocked", "a rule lets it reach one port more, of the namespace's pods"
)
def one_port_of_the_namespace(objects: Objects) -> None:
    let_out(objects, {"to": [{"podSelector": {}}], "ports": ports(8080, "TCP")})


@manifest_sabotage("netpol-other-ports-blocked", "the rule for the proxy is about all its ports")
def every_port_of_the_proxy(objects: Objects) -> None:
    del next(each for each in agent_policy(objects)["egress"] if each["ports"][0]["port"] == 3128)["ports"]


@manifest_sabotage("netpol-egress-type-present", "the policy does not speak about egress")
def no_egress_type(objects: Objects) -> None:
    agent_policy(objects)["policyTypes"] = ["Ingress"]
    del agent_policy(objects)["egress"]


@manifest_sabotage("netpol-dns-only-to-kube-dns", "port 53 is open to everywhere")
def dns_to_everywhere(objects: Objects) -> None:
    rule = next(each for each in agent_policy(objects)["egress"] if each["ports"][0]["port"] == 53)
    del rule["to"]


@manifest_sabotage("netpol-dns-only-to-kube-dns", "port 53 is open to every pod")
def dns_to_every_pod(objects: Objects) -> None:
    let_out(objects, {"to": [{"namespaceSelector": {}}], "ports": ports(53, "UDP", "TCP")})


@manifest_sabotage("netpol-6443-not-world", "the API server's port is open to everywhere")
def apiserver_port_to_everywhere(objects: Objects) -> None:
    let_out(objects, {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": ports(6443, "TCP")})


image_sabotage(
    "kubeconfig_by_name", "netpol-apiserver-by-ip-without-dns", "the kubeconfig has the API server's name",
    dockerfile=edited("/usr/local/bin/pod-kubeconfig", "s|https://[$]server|https://kubernetes.default.svc|"),
)  # fmt: skip


@manifest_sabotage("netpol-apiserver-by-ip-without-dns", "the API server's address goes through the proxy")
def apiserver_through_the_proxy(objects: Objects) -> None:
    for each in pod_of(objects)["containers"][0]["env"]:
        if each["name"].upper() == "NO_PROXY":
            each["value"] = "kubernetes.default,.svc,.cluster.local,localhost"


def _resolver_rule(objects: Objects) -> dict[str, Any]:
    return next(each for each in agent_policy(objects)["egress"] if each["ports"][0]["port"] == 53)


@manifest_sabotage("netpol-other-ports-blocked", "port 22 is open to every address but private ones")
def ssh_to_the_public(objects: Objects) -> None:
    let_out(objects, but_private(22))


@manifest_sabotage("netpol-other-ports-blocked", "a range of high ports is open to one address")
def high_ports_to_one_address(objects: Objects) -> None:
    ports = [{"protocol": "UDP", "port": 51820, "endPort": 51830}]
    let_out(objects, {"to": [{"ipBlock": {"cidr": "203.0.113.9/32"}}], "ports": ports})


@manifest_sabotage("netpol-6443-not-world", "6443 is open to every address but private ones")
def apiserver_port_to_the_public(objects: Objects) -> None:
    let_out(objects, but_private(6443))


@manifest_sabotage("netpol-dns-only-to-kube-dns", "53 is open to every address but private ones")
def dns_to_the_public(objects: Objects) -> None:
    let_out(objects, but_private(53, "UDP", "TCP"))


@manifest_sabotage("netpol-dns-only-to-kube-dns", "the resolver is looked for in every namespace")
def resolvers_of_every_namespace(objects: Objects) -> None:
    _resolver_rule(objects)["to"][0]["namespaceSelector"] = {}


@manifest_sabotage(
    "netpol-dns-only-to-kube-dns", "a dash too many makes two peers of the resolver's selectors"
)
def a_dash_too_many(objects: Objects) -> None:
    rule = _resolver_rule(objects)
    rule["to"] = [{key: each} for key, each in rule["to"][0].items()]


@manifest_sabotage("netpol-no-ipv6-way-out", "443 is open to every IPv6 address")
def https_over_ipv6(objects: Objects) -> None:
    let_out(objects, {"to": [{"ipBlock": {"cidr": "::/0"}}], "ports": ports(443, "TCP")})


@manifest_sabotage("netpol-no-ipv6-way-out", "the pod has its node's network, IPv6 addresses and all")
def on_the_nodes_network(objects: Objects) -> None:
    lowered(objects, "privileged")
    pod_of(objects)["hostNetwork"] = True
    pod_of(objects)["securityContext"].pop("sysctls", None)


@manifest_sabotage("netpol-dns-only-to-kube-dns", "the resolver is looked for in two namespaces")
def resolver_of_two_namespaces(objects: Objects) -> None:
    rule = next(each for each in agent_policy(objects)["egress"] if each["ports"][0]["port"] == 53)
    name = "kubernetes.io/metadata.name"
    both = {"key": name, "operator": "In", "values": ["kube-system", "monitoring"]}
    rule["to"][0]["namespaceSelector"] = {"matchExpressions": [both]}


@subject_sabotage("netpol-egress-type-present", "the policy has rules of egress, and the type Ingress alone")
def type_not_written(directory: Path) -> None:
    path = directory / "manifests/base/networkpolicy.yaml"
    replace_in(path, "policyTypes: [Ingress, Egress] # and", "policyTypes: [Ingress] # and")


def _served_and_let_out(objects: Objects, rule: dict[str, Any]) -> None:
    """Have the policy of the service, which one tier has alone, let the agent out as well."""
    spec = find(objects, "NetworkPolicy", "claude-api")["spec"]
    spec["policyTypes"], spec["egress"] = ["Ingress", "Egress"], [rule]


@manifest_sabotage("netpol-unlisted-hosts-blocked", "served over HTTP, the agent gets to every site on 443")
def served_and_let_out(objects: Objects) -> None:
    _served_and_let_out(objects, but_private(443))


@manifest_sabotage(
    "netpol-other-ports-blocked", "served over HTTP, the agent gets to the pods of its clients"
)
def served_and_calling_back(objects: Objects) -> None:
    client = {"podSelector": {"matchLabels": {"claude-api-client": "true"}}}
    _served_and_let_out(objects, {"to": [client], "ports": ports(8080, "TCP")})


@manifest_sabotage("netpol-dns-only-to-kube-dns", "served over HTTP, the agent has every resolver there is")
def served_with_any_resolver(objects: Objects) -> None:
    _served_and_let_out(objects, but_private(53, "UDP", "TCP"))


@manifest_sabotage("netpol-6443-not-world", "served over HTTP, the agent has every API server there is")
def served_with_any_api_server(objects: Objects) -> None:
    _served_and_let_out(objects, but_private(6443))


@manifest_sabotage("netpol-no-ipv6-way-out", "served over HTTP, the agent gets out over IPv6")
def served_over_ipv6(objects: Objects) -> None:
    _served_and_let_out(objects, {"to": [{"ipBlock": {"cidr": "::/0"}}], "ports": ports(443, "TCP")})
