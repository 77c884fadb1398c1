"""Changes that open the agent's network, shut it off, or leave the policy without effect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from boxproof.core.session import Session
from boxproof.deployment.sabotage_ways import (
    Objects,
    cluster_sabotage,
    edited,
    find,
    image_sabotage,
    manifest_sabotage,
)
from boxproof.kube.client import Kube
from boxproof.kube.owed import Debt, in_node, noted
from boxproof.kube.pod_status import rolled_out
from pytest_claims.sabotages import replace_in, subject_sabotage


def _policy(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = find(objects, "NetworkPolicy", "claude-agent")["spec"]
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
    objects.remove(find(objects, "NetworkPolicy", "claude-agent"))


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


@manifest_sabotage(
    "netpol-other-ports-blocked", "a rule lets it reach one port more, of the namespace's pods"
)
def one_port_of_the_namespace(objects: Objects) -> None:
    _egress_of_the_agent(objects, {"to": [{"podSelector": {}}], "ports": _ports(8080, "TCP")})


@manifest_sabotage("netpol-other-ports-blocked", "the rule for the proxy is about all its ports")
def every_port_of_the_proxy(objects: Objects) -> None:
    del next(each for each in _policy(objects)["egress"] if each["ports"][0]["port"] == 3128)["ports"]


@manifest_sabotage("netpol-ingress-denied-nothing-listens", "one port is open over UDP")
def one_port_over_udp(objects: Objects) -> None:
    _policy(objects)["ingress"] = [{"ports": _ports(8080, "UDP")}]


@manifest_sabotage("netpol-ingress-denied-nothing-listens", "an empty rule allows all ingress")
def allow_all_ingress(objects: Objects) -> None:
    _policy(objects)["ingress"] = [{}]


@manifest_sabotage("netpol-ingress-denied-nothing-listens", "the policy does not speak about ingress")
def no_ingress_type(objects: Objects) -> None:
    _policy(objects)["policyTypes"] = ["Egress"]
    _policy(objects).pop("ingress", None)


@manifest_sabotage("netpol-egress-type-present", "the policy does not speak about egress")
def no_egress_type(objects: Objects) -> None:
    _policy(objects)["policyTypes"] = ["Ingress"]
    del _policy(objects)["egress"]


@manifest_sabotage("netpol-pod-stays-healthy-and-rollback", "everything is denied, nothing allowed")
def nothing_allowed(objects: Objects) -> None:
    _policy(objects)["egress"] = []


@cluster_sabotage("netpol-enforced-by-cni", "the pod network runs with its firewall off")
def firewall_off(session: Session, kube: Kube) -> Iterator[None]:
    path = kube.path("DaemonSet", "kube-router", "kube-system")
    before = kube.get("DaemonSet", "kube-router", "kube-system")["spec"]["template"]["spec"]["containers"][0]
    command = [each.replace("--run-firewall=true", "--run-firewall=false") for each in before["command"]]
    with _patched(
        session, kube, path, *(_with(before["name"], each) for each in (command, before["command"]))
    ):
        yield


def _with(name: str, command: list[str]) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": name, "command": command}]}}


@contextmanager
def _patched(
    session: Session, kube: Kube, path: str, template: dict[str, Any], before: dict[str, Any]
) -> Iterator[None]:
    """Have another template of the pod network's engine; that it is to be put back is noted first."""
    assert session.cluster is not None
    meta = kube.raw(path)["metadata"]
    back = {"metadata": {"uid": meta["uid"]}, "spec": {"template": before}}
    what = "the template of kube-router"
    with noted(Debt(what=what, cluster=session.cluster.name, path=path, body=back)):
        try:
            _patch(kube, path, {"spec": {"template": template}})
            yield
        finally:
            _patch(kube, path, back)


def _patch(kube: Kube, path: str, body: dict[str, Any]) -> None:
    kube.patch(path, body, "strategic-merge-patch+json")
    rolled_out(kube, "DaemonSet", "kube-router", "kube-system")


@cluster_sabotage("netpol-enforced-by-cni", "the engine is gone before the policy comes")
def engine_gone(session: Session, kube: Kube) -> Iterator[None]:
    path = kube.path("DaemonSet", "kube-router", "kube-system")
    nowhere, before = ({"spec": {"nodeSelector": {"boxproof.dev/nowhere": each}}} for each in ("true", None))
    with _patched(session, kube, path, nowhere, before):
        yield


@cluster_sabotage("netpol-enforced-by-cni", "packets between pods of one node pass the engine by")
def bridge_past_the_engine(session: Session, _kube: Kube) -> Iterator[None]:
    assert session.engine is not None and session.cluster is not None
    off, on = (["sysctl", "-w", f"net.bridge.bridge-nf-call-iptables={number}"] for number in (0, 1))
    with ExitStack() as changed:
        for node in session.cluster.nodes:
            what = f"iptables for bridges on {node}"
            changed.enter_context(in_node(session.engine, session.cluster.name, node, what, off, on))
        yield


@subject_sabotage(
    "netpol-fqdn-allowlist-cilium", "the policy for Cilium has a name that the proxy does not allow"
)
def one_name_more(directory: Path) -> None:
    """Where names are enforced twice, one list is longer."""
    policy = directory / "manifests/components/cilium/ciliumnetworkpolicy.yaml"
    replace_in(policy, "- matchName: claude.com", "- matchName: claude.com\n        - matchName: example.com")


@subject_sabotage("netpol-fqdn-allowlist-cilium", "the policy for Cilium lets only one name be resolved")
def one_name_resolves(directory: Path) -> None:
    """Cilium learns addresses from answers: a name that is not resolved is not let out to."""
    policy = directory / "manifests/components/cilium/ciliumnetworkpolicy.yaml"
    replace_in(policy, 'matchPattern: "*"', 'matchPattern: "api.anthropic.com"')


def _egress_of_the_agent(objects: Objects, *rules: dict[str, Any]) -> None:
    _policy(objects)["egress"].extend(rules)


def _ports(port: int, *protocols: str) -> list[dict[str, Any]]:
    return [{"protocol": each, "port": port} for each in protocols]


def _pod(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = find(objects, "StatefulSet")["spec"]["template"]["spec"]
    return spec


def _proxy_config(objects: Objects, name: str, old: str, new: str) -> None:
    data = find(objects, "ConfigMap", "claude-egress")["data"]
    data[name] = data[name].replace(old, new)


@manifest_sabotage("netpol-https-to-anthropic", "the API's name is not on the proxy's list")
def api_not_listed(objects: Objects) -> None:
    _proxy_config(objects, "allowed", "api.anthropic.com\n", "")


@manifest_sabotage("netpol-https-to-anthropic", "the proxy is not let out on 443")
def proxy_shut_in(objects: Objects) -> None:
    rules = find(objects, "NetworkPolicy", "claude-egress")["spec"]["egress"]
    rules[:] = [each for each in rules if each["ports"][0]["port"] != 443]


@manifest_sabotage("netpol-unlisted-hosts-blocked", "443 is open to everywhere, whatever the proxy thinks")
def https_to_everywhere(objects: Objects) -> None:
    _egress_of_the_agent(objects, {"ports": _ports(443, "TCP")})


@manifest_sabotage("netpol-unlisted-hosts-blocked", "the proxy allows what it does not know")
def proxy_allows_all(objects: Objects) -> None:
    _proxy_config(objects, "allowed", "api.anthropic.com", "*\napi.anthropic.com")


@manifest_sabotage("netpol-unlisted-hosts-blocked", "the list allows whatever has an allowed name in it")
def names_not_anchored(objects: Objects) -> None:
    _proxy_config(objects, "allowed", "api.anthropic.com", "*api.anthropic.com*")


@manifest_sabotage("netpol-unlisted-hosts-blocked", "the metadata address is allowed on port 80")
def metadata_allowed(objects: Objects) -> None:
    peer = {"ipBlock": {"cidr": "169.254.0.0/16"}}
    _egress_of_the_agent(objects, {"to": [peer], "ports": _ports(80, "TCP")})


@manifest_sabotage("netpol-dns-only-to-kube-dns", "port 53 is open to everywhere")
def dns_to_everywhere(objects: Objects) -> None:
    rule = next(each for each in _policy(objects)["egress"] if each["ports"][0]["port"] == 53)
    del rule["to"]


@manifest_sabotage("netpol-dns-only-to-kube-dns", "port 53 is open to every pod")
def dns_to_every_pod(objects: Objects) -> None:
    _egress_of_the_agent(objects, {"to": [{"namespaceSelector": {}}], "ports": _ports(53, "UDP", "TCP")})


@manifest_sabotage("netpol-6443-not-world", "the API server's port is open to everywhere")
def apiserver_port_to_everywhere(objects: Objects) -> None:
    _egress_of_the_agent(objects, {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": _ports(6443, "TCP")})


image_sabotage(
    "kubeconfig_by_name", "netpol-apiserver-by-ip-without-dns", "the kubeconfig has the API server's name",
    dockerfile=edited("/usr/local/bin/pod-kubeconfig", "s|https://[$]server|https://kubernetes.default.svc|"),
)  # fmt: skip


@manifest_sabotage("netpol-apiserver-by-ip-without-dns", "the API server's address goes through the proxy")
def apiserver_through_the_proxy(objects: Objects) -> None:
    for each in _pod(objects)["containers"][0]["env"]:
        if each["name"].upper() == "NO_PROXY":
            each["value"] = "kubernetes.default,.svc,.cluster.local,localhost"


@manifest_sabotage("netpol-effective-from-first-packet", "there is no gate")
def no_gate(objects: Objects) -> None:
    del _pod(objects)["initContainers"]


@manifest_sabotage("netpol-effective-from-first-packet", "the gate does not look")
def blind_gate(objects: Objects) -> None:
    _pod(objects)["initContainers"][0]["command"] = ["true"]


@manifest_sabotage(
    "netpol-effective-from-first-packet", "another container with the login comes before the gate"
)
def late_gate(objects: Objects) -> None:
    spec = _pod(objects)
    agent = spec["containers"][0]
    early = {key: agent[key] for key in ("image", "env", "resources", "securityContext")}
    spec["initContainers"].insert(0, early | {"name": "early", "command": ["true"]})


@manifest_sabotage("netpol-effective-from-first-packet", "the gate is given the account's token")
def gate_with_a_token(objects: Objects) -> None:
    del _pod(objects)["initContainers"][0]["volumeMounts"]


@manifest_sabotage("netpol-oauth-hosts-reachable", "the host that renews a login is not on the list")
def no_token_host(objects: Objects) -> None:
    _proxy_config(objects, "allowed", "platform.claude.com\n", "")


@manifest_sabotage("netpol-oauth-hosts-reachable", "the host where people log in is not on the list")
def no_login_host(objects: Objects) -> None:
    _proxy_config(objects, "allowed", "\nclaude.com\n", "\n")


@manifest_sabotage("http-wrapper-works-and-is-scoped", "the service is open to everyone")
def served_to_everyone(objects: Objects) -> None:
    find(objects, "NetworkPolicy", "claude-api")["spec"]["ingress"] = [{}]


@manifest_sabotage("http-wrapper-works-and-is-scoped", "the service is open to every pod of the namespace")
def served_to_the_namespace(objects: Objects) -> None:
    find(objects, "NetworkPolicy", "claude-api")["spec"]["ingress"][0]["from"] = [{"podSelector": {}}]


@manifest_sabotage("http-wrapper-works-and-is-scoped", "the intended client may reach every port")
def every_port_for_the_client(objects: Objects) -> None:
    del find(objects, "NetworkPolicy", "claude-api")["spec"]["ingress"][0]["ports"]


def _proxy_policy(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = find(objects, "NetworkPolicy", "claude-egress")["spec"]
    return spec


def _resolver_rule(objects: Objects) -> dict[str, Any]:
    return next(each for each in _policy(objects)["egress"] if each["ports"][0]["port"] == 53)


PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"]


def _but_private(port: int, *protocols: str) -> dict[str, Any]:
    """Return a rule that opens a port of every address but private ones: what tests on a LAN do not see."""
    peer = {"ipBlock": {"cidr": "0.0.0.0/0", "except": PRIVATE}}
    return {"to": [peer], "ports": _ports(port, *(protocols or ("TCP",)))}


@manifest_sabotage("netpol-unlisted-hosts-blocked", "443 is open to every address but private ones")
def https_to_the_public(objects: Objects) -> None:
    _egress_of_the_agent(objects, _but_private(443))


@manifest_sabotage("netpol-unlisted-hosts-blocked", "443 is open to one provider's range")
def https_to_one_range(objects: Objects) -> None:
    peer = {"ipBlock": {"cidr": "34.64.0.0/10"}}
    _egress_of_the_agent(objects, {"to": [peer], "ports": _ports(443, "TCP")})


@manifest_sabotage("netpol-other-ports-blocked", "port 22 is open to every address but private ones")
def ssh_to_the_public(objects: Objects) -> None:
    _egress_of_the_agent(objects, _but_private(22))


@manifest_sabotage("netpol-other-ports-blocked", "a range of high ports is open to one address")
def high_ports_to_one_address(objects: Objects) -> None:
    ports = [{"protocol": "UDP", "port": 51820, "endPort": 51830}]
    _egress_of_the_agent(objects, {"to": [{"ipBlock": {"cidr": "203.0.113.9/32"}}], "ports": ports})


@manifest_sabotage("netpol-6443-not-world", "6443 is open to every address but private ones")
def apiserver_port_to_the_public(objects: Objects) -> None:
    _egress_of_the_agent(objects, _but_private(6443))


@manifest_sabotage("netpol-dns-only-to-kube-dns", "53 is open to every address but private ones")
def dns_to_the_public(objects: Objects) -> None:
    _egress_of_the_agent(objects, _but_private(53, "UDP", "TCP"))


@manifest_sabotage("netpol-dns-only-to-kube-dns", "the resolver is looked for in every namespace")
def resolvers_of_every_namespace(objects: Objects) -> None:
    _resolver_rule(objects)["to"][0]["namespaceSelector"] = {}


@manifest_sabotage(
    "netpol-dns-only-to-kube-dns", "a dash too many makes two peers of the resolver's selectors"
)
def a_dash_too_many(objects: Objects) -> None:
    rule = _resolver_rule(objects)
    rule["to"] = [{key: each} for key, each in rule["to"][0].items()]


@manifest_sabotage(
    "netpol-ingress-denied-nothing-listens", "pods that are labelled like the agent may come in"
)
def agents_of_every_namespace(objects: Objects) -> None:
    labels = _policy(objects)["podSelector"]
    _policy(objects)["ingress"] = [{"from": [{"namespaceSelector": {}, "podSelector": labels}]}]


@manifest_sabotage("http-wrapper-works-and-is-scoped", "clients of every namespace are served")
def clients_of_every_namespace(objects: Objects) -> None:
    find(objects, "NetworkPolicy", "claude-api")["spec"]["ingress"][0]["from"][0]["namespaceSelector"] = {}


@manifest_sabotage(
    "http-wrapper-works-and-is-scoped", "whoever has the client's label, whatever it says, is served"
)
def any_value_of_the_label(objects: Objects) -> None:
    exists = {"matchExpressions": [{"key": "claude-api-client", "operator": "Exists"}]}
    find(objects, "NetworkPolicy", "claude-api")["spec"]["ingress"][0]["from"] = [{"podSelector": exists}]


@manifest_sabotage("netpol-effective-from-first-packet", "the gate gives up after half a minute")
def gate_that_gives_up(objects: Objects) -> None:
    gate = _pod(objects)["initContainers"][0]
    gate["command"] = ["sh", "-c", 'timeout 30 "$@" || :', "gate", *gate["command"]]


@manifest_sabotage("netpol-proxy-confined", "the proxy's policy selects nothing")
def proxy_not_selected(objects: Objects) -> None:
    _proxy_policy(objects)["podSelector"] = {"matchLabels": {"app": "claude-egres"}}


@manifest_sabotage("netpol-proxy-confined", "the proxy gets to pods and Services on 443")
def proxy_gets_inside(objects: Objects) -> None:
    for rule in _proxy_policy(objects)["egress"]:
        for peer in rule["to"]:
            peer.get("ipBlock", {}).pop("except", None)


@manifest_sabotage("netpol-proxy-confined", "every pod of every namespace may use the proxy")
def proxy_for_everybody(objects: Objects) -> None:
    _proxy_policy(objects)["ingress"][0]["from"][0]["namespaceSelector"] = {}


@manifest_sabotage("netpol-no-ipv6-way-out", "443 is open to every IPv6 address")
def https_over_ipv6(objects: Objects) -> None:
    _egress_of_the_agent(objects, {"to": [{"ipBlock": {"cidr": "::/0"}}], "ports": _ports(443, "TCP")})


@subject_sabotage(
    "netpol-fqdn-allowlist-cilium", "the policy for Cilium allows a block of addresses beside the names"
)
def cilium_allows_a_block(directory: Path) -> None:
    """Let the agent out to addresses that no name stands for."""
    policy = directory / "manifests/components/cilium/ciliumnetworkpolicy.yaml"
    replace_in(
        policy,
        "    - toEntities: [kube-apiserver]",
        "    - toCIDR: [198.51.100.0/24]\n    - toEntities: [kube-apiserver]",
    )


@manifest_sabotage("netpol-no-ipv6-way-out", "the pod has its node's network, IPv6 addresses and all")
def on_the_nodes_network(objects: Objects) -> None:
    label = "pod-security.kubernetes.io/enforce"
    find(objects, "Namespace")["metadata"].setdefault("labels", {})[label] = "privileged"
    _pod(objects)["hostNetwork"] = True
    _pod(objects)["securityContext"].pop("sysctls", None)


image_sabotage(
    "listens_over_tcp", "netpol-ingress-denied-nothing-listens", "something in the box listens everywhere",
    dockerfile=edited("/usr/local/bin/entrypoint", "2i socat TCP-LISTEN:9000,fork /dev/null \\&"),
)  # fmt: skip
image_sabotage(
    "listens_over_udp", "netpol-ingress-denied-nothing-listens", "something in the box listens over UDP",
    dockerfile=edited("/usr/local/bin/entrypoint", "2i socat UDP-RECV:9000 /dev/null \\&"),
)  # fmt: skip
