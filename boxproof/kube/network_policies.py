"""What NetworkPolicies allow, by the words of the API: who may connect to whom, on which port."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pytest_claims.faults import EnvironmentFault

NUMBERS = "write its number: some engines open all ports for a name that no pod has (docs/network.md)"

Policy = Mapping[str, Any]
Direction = Literal["Egress", "Ingress"]


@dataclass(frozen=True)
class Place:
    """A pod, or with no ``namespace`` an address outside the cluster."""

    name: str
    address: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    space_labels: Mapping[str, str] = field(default_factory=dict, hash=False)


def allowed(policies: Iterable[Policy], source: Place, target: Place, port: int, protocol: str) -> bool:
    """Return whether a connection is allowed: by what holds for the source, and by what holds for the target.

    An ``ipBlock`` is taken to mean addresses of pods too. Raises EnvironmentFault for a port that has a name.
    """
    found = list(policies)
    out = one_way(found, source, target, port, protocol, "Egress")
    return out and one_way(found, target, source, port, protocol, "Ingress")


def one_way(
    policies: Iterable[Policy], pod: Place, peer: Place, port: int, protocol: str, direction: Direction
) -> bool:
    """Return whether the policies of one direction that select ``pod`` allow it; without any, they do."""
    mine = [each for each in policies if _selects(each, pod) and direction in _types(each)]
    key, who = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    rules = [(rule, each) for each in mine for rule in each["spec"].get(key) or []]
    return not mine or any(
        _port(rule.get("ports"), port, protocol, each) and _peer(rule.get(who), peer, each)
        for rule, each in rules
    )


def _types(policy: Policy) -> list[str]:
    """Return the directions; left out, they follow from what the policy has rules for."""
    spec = policy["spec"]
    return list(spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])])


def _selects(policy: Policy, pod: Place) -> bool:
    return policy["metadata"].get("namespace") == pod.namespace and matches(
        policy["spec"].get("podSelector") or {}, pod.labels
    )


def _port(ports: list[dict[str, Any]] | None, port: int, protocol: str, policy: Policy) -> bool:
    for each in ports or []:
        if isinstance(name := each.get("port"), str):
            where = policy["metadata"].get("name", "")
            raise EnvironmentFault(
                f"NetworkPolicy {where}: what port {name!r} is cannot be judged", hint=NUMBERS
            )
    return not ports or any(
        each.get("protocol", "TCP") == protocol
        and ("port" not in each or each["port"] <= port <= each.get("endPort", each["port"]))
        for each in ports
    )


def _peer(peers: list[dict[str, Any]] | None, other: Place, policy: Policy) -> bool:
    return not peers or any(_is(each, other, policy) for each in peers)


def _is(peer: Mapping[str, Any], other: Place, policy: Policy) -> bool:
    if "ipBlock" in peer:
        address, block = ipaddress.ip_address(other.address), peer["ipBlock"]
        inside = [address in ipaddress.ip_network(each) for each in block.get("except") or []]
        return address in ipaddress.ip_network(block["cidr"]) and not any(inside)
    if not other.namespace:
        return False
    if "namespaceSelector" in peer:
        near = matches(peer["namespaceSelector"] or {}, other.space_labels)
    else:
        near = other.namespace == policy["metadata"].get("namespace")
    return near and matches(peer.get("podSelector") or {}, other.labels)


def of_pod(objects: Iterable[dict[str, Any]], labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the policies among ``objects``, all of one namespace, that select a pod with ``labels``."""
    policies = (each for each in objects if each["kind"] == "NetworkPolicy")
    return [each for each in policies if matches(each["spec"].get("podSelector") or {}, labels)]


def block_of(place: str) -> str:
    """Return the block of one address, given as "IP:PORT": /32, or of an IPv6 address /128."""
    return str(ipaddress.ip_network(place.rpartition(":")[0].strip("[]")))


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Return whether labels are those of a selector (Kubernetes API, LabelSelector)."""
    plain = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return plain and all(_holds(each, labels) for each in selector.get("matchExpressions") or [])


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, wanted = labels.get(expression["key"]), expression.get("values") or []
    return {
        "In": value in wanted,
        "NotIn": value not in wanted,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[expression["operator"]]
