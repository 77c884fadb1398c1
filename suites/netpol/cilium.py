"""What can be read from a CiliumNetworkPolicy where there is no Cilium to enforce it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from boxproof.kube.network_policies import demands, matches

KIND = "CiliumNetworkPolicy"
CLUSTERWIDE = "CiliumClusterwideNetworkPolicy"
SPACE = "k8s:io.kubernetes.pod.namespace"
SOURCES = ("k8s:", "any:")  # what a label's name may begin with
SAID = {"description", "endpointSelector", "egress"}
DNS, HTTPS = "53", "443"
BOTH = {"TCP", "UDP"}
APISERVER = {"443", "6443"}
RESOLVER = {"io.kubernetes.pod.namespace": "kube-system", "k8s-app": "kube-dns"}


def problems(policy: Mapping[str, Any], names: Collection[str]) -> list[str]:
    """Return what is wrong with a policy that should let its pods out to ``names`` on 443, and resolve any.

    Cilium learns addresses from the answers of the cluster's DNS: it has to see all of them, over both
    protocols, and a selector without a namespace means the policy's own.
    """
    rules = list(policy["spec"].get("egress") or [])
    return [*_dns(rules), *_https(rules, names)]


def wider(policy: Mapping[str, Any], names: Collection[str]) -> list[str]:
    """Return what a policy lets its pods out to beyond ``names``, the API server, and pods of the cluster.

    A rule that says nothing allows nothing.
    """
    every = policy["spec"].get("egress") or []
    rules = [each for each in every if each and set(each) - {"toPorts"} != {"toEndpoints"}]
    have = listed({"spec": {"egress": rules}})
    return [*_https(rules, have), *(f"{each} is allowed" for each in sorted(have - set(names)))]


def selects(policy: Mapping[str, Any], namespace: str, labels: Mapping[str, str]) -> bool:
    """Return whether a policy is about a pod with these labels in a namespace."""
    return matches(_selector(policy), {**labels, _plain(SPACE): namespace}) and _near(policy, namespace)


def astray(
    policies: Iterable[Mapping[str, Any]], namespace: str, labels: Mapping[str, str], own: Mapping[str, str]
) -> list[str]:
    """Return why policies are not about one pod alone, or about more of it than where it gets.

    ``labels`` are all of the pod's, ``own`` those that only pods of its workload have.
    """
    found, endpoint = [], {**labels, _plain(SPACE): namespace}
    every = list(policies)
    selected = [each for each in every if matches(_selector(each), endpoint) and _near(each, namespace)]
    for each in selected:
        here = {_plain(SPACE): namespace} if each["kind"] == CLUSTERWIDE else {}
        if not demands(_selector(each), {**own, **here}):
            found.append("it is about other pods too")
    if not selected:
        found.append("none of them is about the pod")
    for each in every:
        more = sorted(set(each.get("spec") or {}) - SAID) + (["specs"] if each.get("specs") else [])
        found += [f"it says more than where the pod gets: {more}"] if more else []
    return found


def _near(policy: Mapping[str, Any], namespace: str) -> bool:
    here = policy["metadata"].get("namespace") == namespace
    return bool(here or policy["kind"] == CLUSTERWIDE)


def _selector(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return whom a policy is about, as any other selector: no source before the names of labels."""
    given = (policy.get("spec") or {}).get("endpointSelector") or {}
    exact = {_plain(key): value for key, value in (given.get("matchLabels") or {}).items()}
    others = [each | {"key": _plain(each["key"])} for each in given.get("matchExpressions") or []]
    return {"matchLabels": exact, "matchExpressions": others}


def _plain(key: str) -> str:
    return next((key.removeprefix(each) for each in SOURCES if key.startswith(each)), key)


def listed(policy: Mapping[str, Any]) -> set[str]:
    """Return the names a policy lets its pods out to, patterns included."""
    found = [name for each in policy["spec"].get("egress") or [] for name in each.get("toFQDNs") or []]
    return {str(each.get("matchName") or each.get("matchPattern")) for each in found}


def _dns(rules: list[dict[str, Any]]) -> Iterator[str]:
    found = [each for each in rules if DNS in _ports(each)]
    if not found:
        yield "no rule allows DNS"
    for rule in found:
        places = [each.get("matchLabels") or {} for each in rule.get("toEndpoints") or []]
        named = [{_plain(key): value for key, value in each.items()} for each in places]
        if not places or any(each != RESOLVER for each in named):
            yield "the DNS rule is not about the resolver in kube-system alone"
        if _ports(rule)[DNS] != BOTH:
            yield "the DNS rule is not about both UDP and TCP"
        asked = [each.get("matchPattern") for part in rule["toPorts"] for each in _queries(part)]
        if asked != ["*"]:
            yield f"only some names resolve: {asked}"


def _https(rules: list[dict[str, Any]], names: Collection[str]) -> Iterator[str]:
    for rule in rules:
        if beyond := sorted(set(rule) & {"toCIDR", "toCIDRSet", "toServices", "toGroups", "toNodes"}):
            yield f"more than names is allowed: {beyond}"
        if not set(rule) & {"toFQDNs", "toEntities", "toEndpoints"}:
            yield "a rule is about everyone"
        if "toEndpoints" in rule and DNS not in _ports(rule):
            yield "pods are allowed beside the resolver"
        if not _ports(rule):
            yield "a rule is about every port"
        if HTTPS in _ports(rule) and not {"toFQDNs", "toEntities"} & set(rule):
            yield "443 is allowed to something that is not named"
        if "toFQDNs" in rule and set(_ports(rule)) != {HTTPS}:
            yield "the names are not allowed on 443 alone"
        if any(each not in ("kube-apiserver",) for each in rule.get("toEntities") or []):
            yield f"entities are allowed: {rule['toEntities']}"
    yield from _ranges(rules)
    have = listed({"spec": {"egress": rules}})
    if have != set(names):
        yield f"the names differ from the proxy's: {sorted(have ^ set(names))}"


def _ranges(rules: list[dict[str, Any]]) -> Iterator[str]:
    """Give what ports say beyond one number: a range, all of them, more of the API server."""
    for rule in rules:
        ports = [each for part in rule.get("toPorts") or [] for each in part.get("ports") or []]
        for each in ports:
            if str(each.get("endPort") or each["port"]) != str(each["port"]):
                yield f"a range of ports is allowed: {each['port']}-{each['endPort']}"
            if not str(each["port"]).isdigit() or str(each["port"]) == "0":
                yield f"port {each['port']} is no number of one port"
        if "toEntities" in rule and (more := sorted({str(each["port"]) for each in ports} - APISERVER)):
            yield f"more of the API server is allowed: {more}"


def _ports(rule: Mapping[str, Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for part in rule.get("toPorts") or []:
        for each in part.get("ports") or []:
            protocol = each.get("protocol", "ANY")
            found.setdefault(str(each["port"]), set()).update(BOTH if protocol == "ANY" else {protocol})
    return found


def _queries(part: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list((part.get("rules") or {}).get("dns") or [])
