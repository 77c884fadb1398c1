"""Changes of what the proxy lets through, and of who gets past it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boxproof.deployment.sabotage_ways import Objects, edited, find, image_sabotage, manifest_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage
from sabotage.box_parts import but_private, let_out, ports

PROXY = "/usr/local/lib/box/proxy.py"


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


def _proxy_policy(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = find(objects, "NetworkPolicy", "claude-egress")["spec"]
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
    let_out(objects, {"ports": ports(443, "TCP")})


@manifest_sabotage("netpol-unlisted-hosts-blocked", "the proxy allows what it does not know")
def proxy_allows_all(objects: Objects) -> None:
    _proxy_config(objects, "allowed", "api.anthropic.com", "*\napi.anthropic.com")


@manifest_sabotage("netpol-unlisted-hosts-blocked", "the list allows whatever has an allowed name in it")
def names_not_anchored(objects: Objects) -> None:
    _proxy_config(objects, "allowed", "api.anthropic.com", "*api.anthropic.com*")


@manifest_sabotage("netpol-unlisted-hosts-blocked", "the metadata address is allowed on port 80")
def metadata_allowed(objects: Objects) -> None:
    peer = {"ipBlock": {"cidr": "169.254.0.0/16"}}
    let_out(objects, {"to": [peer], "ports": ports(80, "TCP")})


@manifest_sabotage("netpol-oauth-hosts-reachable", "the host that renews a login is not on the list")
def no_token_host(objects: Objects) -> None:
    _proxy_config(objects, "allowed", "platform.claude.com\n", "")


@manifest_sabotage("netpol-oauth-hosts-reachable", "the host where people log in is not on the list")
def no_login_host(objects: Objects) -> None:
    _proxy_config(objects, "allowed", "\nclaude.com\n", "\n")


@manifest_sabotage("netpol-unlisted-hosts-blocked", "443 is open to every address but private ones")
def https_to_the_public(objects: Objects) -> None:
    let_out(objects, but_private(443))


@manifest_sabotage("netpol-unlisted-hosts-blocked", "443 is open to one provider's range")
def https_to_one_range(objects: Objects) -> None:
    peer = {"ipBlock": {"cidr": "34.64.0.0/10"}}
    let_out(objects, {"to": [peer], "ports": ports(443, "TCP")})


@manifest_sabotage("netpol-proxy-confined", "the proxy's policy selects nothing")
def proxy_not_selected(objects: Objects) -> None:
    _proxy_policy(objects)["podSelector"] = {"matchLabels": {"app": "claude-egres"}}


@manifest_sabotage("netpol-proxy-confined", "the proxy's Service selects no pod")
def service_of_no_pod(objects: Objects) -> None:
    find(objects, "Service", "claude-egress")["spec"].pop("selector")


@manifest_sabotage("netpol-proxy-confined", "the proxy gets to pods and Services on 443")
def proxy_gets_inside(objects: Objects) -> None:
    for rule in _proxy_policy(objects)["egress"]:
        for peer in rule["to"]:
            peer.get("ipBlock", {}).pop("except", None)


@manifest_sabotage(
    "netpol-proxy-confined", "the proxy gets to what pods with their node's network have on 443"
)
def proxy_gets_to_nodes(objects: Objects) -> None:
    for rule in _proxy_policy(objects)["egress"]:
        for block in (each["ipBlock"] for each in rule["to"] if "ipBlock" in each):
            block["except"] = [each for each in block["except"] if not each.endswith("/32")]


@manifest_sabotage("netpol-proxy-confined", "every pod of every namespace may use the proxy")
def proxy_for_everybody(objects: Objects) -> None:
    _proxy_policy(objects)["ingress"][0]["from"][0]["namespaceSelector"] = {}


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


image_sabotage(
    "any_name_shown", "netpol-proxy-one-name-per-tunnel", "the proxy does not look at what a hello shows",
    dockerfile=edited(PROXY, "s/if shown != name:/if False:/"),
)  # fmt: skip
image_sabotage(
    "another_listed_name", "netpol-proxy-one-name-per-tunnel", "a hello may show no name, or another listed",
    dockerfile=edited(PROXY, "s/if shown != name:/if shown and not shown.endswith((\".com\", \".ai\")):/"),
)  # fmt: skip
image_sabotage(
    "any_port", "netpol-proxy-one-name-per-tunnel", "the proxy opens a tunnel whatever the port asked for",
    dockerfile=edited(PROXY, r"s/if port != str\(PORT\):/if False:/"),
)  # fmt: skip


image_sabotage(
    "cuts_what_is_quiet", "netpol-https-to-anthropic", "the proxy ends a connection that is quiet for 10 s",
    dockerfile=edited(PROXY, "s/^SILENCE = 3600.0/SILENCE = 10.0/"),
)  # fmt: skip


@manifest_sabotage(
    "netpol-no-ipv6-way-out", "443 is open to what is behind a translator of addresses (NAT64)"
)
def behind_a_translator(objects: Objects) -> None:
    let_out(objects, {"to": [{"ipBlock": {"cidr": "64:ff9b::/96"}}], "ports": ports(443, "TCP")})


@manifest_sabotage("netpol-proxy-confined", "the proxy gets out over IPv6, to link-local addresses as well")
def proxy_over_ipv6(objects: Objects) -> None:
    rule = next(each for each in _proxy_policy(objects)["egress"] if each["ports"][0]["port"] == 443)
    rule["to"].append({"ipBlock": {"cidr": "::/0"}})


@manifest_sabotage("netpol-proxy-confined", "where a configuration is cloned, its proxy gets out on port 22")
def proxy_on_another_port(objects: Objects) -> None:
    find(objects, "PersistentVolumeClaim", "claude-config-clone")  # in that tier alone
    _proxy_policy(objects)["egress"].append(but_private(22))


@manifest_sabotage("netpol-unlisted-hosts-blocked", "a line lets by what ends like a host of the login")
def login_host_not_anchored(objects: Objects) -> None:
    _proxy_config(objects, "allowed", "\nclaude.com\n", "\n*claude.com\n")


@manifest_sabotage("netpol-unlisted-hosts-blocked", "where a configuration is cloned, its line lets more by")
def clone_host_not_anchored(objects: Objects) -> None:
    _proxy_config(objects, "allowed-config-clone", "github.com", "*github.com")


image_sabotage(
    "dots_mean_anything", "netpol-unlisted-hosts-blocked", "a dot of the list stands for any character",
    dockerfile=edited(
        PROXY, r's/fnmatch\.fnmatchcase\(name, each\)/re.fullmatch(each.replace("*", ".*"), name)/'
    ),
)  # fmt: skip
image_sabotage(
    "built_into_the_proxy", "netpol-unlisted-hosts-blocked", "the proxy lets names by that it has itself",
    dockerfile=edited(PROXY, r's/^    return found$/    return [*found, "*.sentry.io"]/'),
)  # fmt: skip
image_sabotage(
    "a_name_below", "netpol-proxy-one-name-per-tunnel", "a hello may show what ends like the name asked for",
    dockerfile=edited(PROXY, "s/if shown != name:/if not shown.endswith(name):/"),
)  # fmt: skip
image_sabotage(
    "gives_up_looking", "netpol-proxy-one-name-per-tunnel", "a tunnel without a hello is open after a while",
    dockerfile=edited(
        PROXY,
        r's/raise NoHello\("there was none in time"\) from None/return kept, ""/; '
        "s/if shown != name:/if shown and shown != name:/",
    ),
)  # fmt: skip


@subject_sabotage("netpol-fqdn-allowlist-cilium", "the policy for Cilium selects no pod")
def cilium_selects_nothing(directory: Path) -> None:
    """A typing error in the label of the agent."""
    policy = directory / "manifests/components/cilium/ciliumnetworkpolicy.yaml"
    replace_in(policy, "      app: claude-agent\n", "      app: claude-agnet\n")


@subject_sabotage("netpol-fqdn-allowlist-cilium", "the policy for Cilium selects every pod, the proxy's too")
def cilium_selects_everybody(directory: Path) -> None:
    """Without a label it is about the whole namespace."""
    policy = directory / "manifests/components/cilium/ciliumnetworkpolicy.yaml"
    replace_in(policy, "\n    matchLabels:\n      app: claude-agent\n", " {}\n")


@subject_sabotage(
    "netpol-fqdn-allowlist-cilium", "the policy for Cilium looks for the resolver by another label"
)
def cilium_misses_the_resolver(directory: Path) -> None:
    """The program is called so, its pods are not."""
    policy = directory / "manifests/components/cilium/ciliumnetworkpolicy.yaml"
    replace_in(policy, "k8s:k8s-app: kube-dns", "k8s:k8s-app: coredns")
