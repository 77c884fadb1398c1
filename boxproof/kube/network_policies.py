"""What NetworkPolicies allow, by the words of the API: who may connect to whom, and all that they open.

Points that are tried say nothing about the rest; what is opened is listed over the whole space as it is
written (every address of both families, every port, every peer), so that it can be compared with a claim.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pytest_claims.faults import EnvironmentFault

NUMBERS = "write its number: some engines open all ports for a name that no pod has (docs/network.md)"

Policy = Mapping[str, Any]
Direction = Literal["Egress", "Ingress"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
EVERYWHERE: tuple[Network, ...] = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
PORTS = (0, 65535)
SPACE = "kubernetes.io/metadata.name"
ANY = "any"
GROUP = "networking.k8s.io/"  # other APIs have kinds of the same name


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


def is_of_kubernetes(policy: Policy) -> bool:
    """Return whether a policy is Kubernetes' own, as it is too where nothing says of which API it is."""
    return str(policy.get("apiVersion") or GROUP).startswith(GROUP)


def _selects(policy: Policy, pod: Place) -> bool:
    near = is_of_kubernetes(policy) and policy["metadata"].get("namespace") == pod.namespace
    return near and matches(policy["spec"].get("podSelector") or {}, pod.labels)


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
    policies = (each for each in objects if each["kind"] == "NetworkPolicy" and is_of_kubernetes(each))
    return [each for each in policies if matches(each["spec"].get("podSelector") or {}, labels)]


def block_of(place: str) -> str:
    """Return the block of one address, given as "IP:PORT": /32, or of an IPv6 address /128."""
    return str(ipaddress.ip_network(place.rpartition(":")[0].strip("[]")))


def of_nodes(nodes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the addresses that nodes have, within the cluster and outside, as blocks of one address each."""
    places = (each for node in nodes for each in (node.get("status") or {}).get("addresses") or ())
    found = {str(each["address"]) for each in places if each.get("type") in ("InternalIP", "ExternalIP")}
    return sorted(str(ipaddress.ip_network(each)) for each in found)


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


@dataclass(frozen=True)
class Peers:
    """Whom a rule is about: ``networks``, or the pods of selectors; both where it is about everyone.

    ``namespaces`` None is the policy's own namespace.
    """

    networks: tuple[Network, ...] = ()
    pods: Mapping[str, Any] | None = None
    namespaces: Mapping[str, Any] | None = None

    @property
    def everyone(self) -> bool:
        """Whether it is about everyone there is."""
        return self.networks == EVERYWHERE and self.pods == {}


EVERYONE = Peers(EVERYWHERE, {}, {})


@dataclass(frozen=True)
class Opening:
    """What one rule opens: to whom, over which protocol ("any" for all), on which ports, ends included."""

    policy: str
    peers: Peers
    protocol: str
    ports: tuple[int, int]

    @property
    def text(self) -> str:
        """How it is called in evidence."""
        low, high = self.ports
        where = "all ports" if self.ports == PORTS else str(low) if low == high else f"{low}-{high}"
        return f"{self.policy}: {_who(self.peers)} on {where}/{self.protocol}"


def openings(
    policies: Iterable[Policy], namespace: str, labels: Mapping[str, str], direction: Direction
) -> list[Opening]:
    """Return everything that is open to (or from) a pod in one direction: all there is, without a policy."""
    mine = [
        each
        for each in policies
        if is_of_kubernetes(each)
        and each["metadata"].get("namespace") == namespace
        and matches(each["spec"].get("podSelector") or {}, labels)
        and direction in _types(each)
    ]
    if not mine:
        return [Opening("no policy", EVERYONE, ANY, PORTS)]
    return [found for each in mine for found in _of(each, direction)]


def covered(
    opening: Opening, networks: Iterable[Network], ports: Iterable[int], protocol: str = "TCP"
) -> bool:
    """Return whether an opening is about nothing but addresses of ``networks`` on ``ports``."""
    low, high = opening.ports
    if opening.protocol != protocol or opening.peers.pods is not None or low != high:
        return False
    return low in set(ports) and not without(opening.peers.networks, networks)


def of_pods(
    opening: Opening, labels: Mapping[str, str], namespace: str | None, ports: Mapping[int, frozenset[str]]
) -> bool:
    """Return whether an opening is about no other pods than those with ``labels`` in ``namespace``.

    ``namespace`` None is the policy's own. ``ports`` has the protocols of each.
    """
    peers, (low, high) = opening.peers, opening.ports
    if peers.networks or peers.pods is None or low != high or opening.protocol not in ports.get(low, ()):
        return False
    near = (
        peers.namespaces is None if namespace is None else demands(peers.namespaces or {}, {SPACE: namespace})
    )
    return near and demands(peers.pods, labels)


def demands(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Return whether a selector matches nothing that lacks one of ``labels``."""
    exact = dict(selector.get("matchLabels") or {})
    for each in selector.get("matchExpressions") or []:
        if each["operator"] == "In" and len(each.get("values") or []) == 1:
            exact[each["key"]] = each["values"][0]
    return all(exact.get(key) == value for key, value in labels.items())


def without(networks: Iterable[Network], taken: Iterable[Network]) -> list[Network]:
    """Return what is left of ``networks`` without ``taken``, as networks."""
    left = list(networks)
    for each in taken:
        left = [part for network in left for part in _minus(network, each)]
    return left


def _minus(network: Network, taken: Network) -> Iterator[Network]:
    if network.version != taken.version or not network.overlaps(taken):
        yield network
    elif network != taken and taken.subnet_of(network):  # type: ignore[arg-type]
        yield from network.address_exclude(taken)  # type: ignore[arg-type]


def _of(policy: Policy, direction: Direction) -> Iterator[Opening]:
    key, who = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    name = str(policy["metadata"].get("name", ""))
    for rule in policy["spec"].get(key) or []:
        peers = [_peers(each) for each in rule.get(who) or []] or [EVERYONE]
        for peer in peers:
            for protocol, ports in _ports(rule.get("ports")):
                yield Opening(name, peer, protocol, ports)


def _peers(peer: Mapping[str, Any]) -> Peers:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        taken = [ipaddress.ip_network(each) for each in block.get("except") or []]
        return Peers(tuple(without([ipaddress.ip_network(block["cidr"])], taken)))
    spaces = peer["namespaceSelector"] or {} if "namespaceSelector" in peer else None
    return Peers(pods=peer.get("podSelector") or {}, namespaces=spaces)


def _ports(ports: list[dict[str, Any]] | None) -> Iterator[tuple[str, tuple[int, int]]]:
    if not ports:
        yield ANY, PORTS
    for each in ports or []:
        low = each.get("port")
        # without a number it is all of them: some engines take a name that no pod has for any port
        span = (low, int(each.get("endPort", low))) if isinstance(low, int) else PORTS
        yield str(each.get("protocol", "TCP")), span


def _who(peers: Peers) -> str:
    if peers.everyone:
        return "everyone"
    if peers.networks:
        shown = ", ".join(map(str, peers.networks[:3]))
        return shown + (f" and {len(peers.networks) - 3} more" if len(peers.networks) > 3 else "")
    where = "its own namespace" if peers.namespaces is None else f"namespaces {_selector(peers.namespaces)}"
    return f"pods {_selector(peers.pods or {})} in {where}"


def _selector(selector: Mapping[str, Any]) -> str:
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    parts += [
        " ".join([each["key"], each["operator"].lower(), *map(str, each.get("values") or [])])
        for each in selector.get("matchExpressions") or []
    ]
    return ",".join(parts) or "all"
