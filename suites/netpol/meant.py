"""Where the agent and its proxy are meant to get to, by the claims: the yardstick for what policies open."""

from __future__ import annotations

import copy
import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from boxproof.deployment.box import Box
from boxproof.kube.client import Kube, Object
from boxproof.kube.network_policies import (
    Direction,
    Network,
    Opening,
    covered,
    of_nodes,
    of_pods,
    openings,
    without,
)
from boxproof.subject.manifests.pod_specs import labels as labels_of
from boxproof.subject.manifests.pod_specs import pod_spec
from pytest_claims import observe

RESOLVER, SYSTEM, DNS = {"k8s-app": "kube-dns"}, "kube-system", 53
NAMES = {DNS: frozenset({"TCP", "UDP"})}
HTTPS = 443
NO_PORT = 0
LINK_LOCAL = ipaddress.ip_network("169.254.0.0/16")
LINK_LOCAL_SIX = ipaddress.ip_network("fe80::/10")
LISTED = "allowed"  # what the names of the proxy's lists begin with
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")


@dataclass(frozen=True)
class Servers:
    """The addresses of the API server and the ports it has there."""

    networks: tuple[Network, ...]
    ports: tuple[int, ...]


def api_servers(kube: Kube) -> Servers:
    """Return where the API server is, as the cluster says it: its Service and the endpoints behind it."""
    service = kube.get("Service", "kubernetes", "default")["spec"]
    slices = kube.list("EndpointSlice", "default", "kubernetes.io/service-name=kubernetes")
    places = [each for part in slices for one in part["endpoints"] for each in one["addresses"]]
    ports = [each["port"] for part in slices for each in part["ports"]]
    places.append(service["clusterIP"])
    ports += [each["port"] for each in service["ports"]]
    return Servers(tuple(ipaddress.ip_network(each) for each in places), tuple(sorted(set(ports))))


@dataclass(frozen=True)
class Proxy:
    """The pods that the agent is told to use as its proxy, and the port there; no labels: there is none."""

    labels: Mapping[str, str]
    port: int
    workload: Object | None = None


def proxy_of(box: Box) -> Proxy:
    """Return the box's proxy, from the address that its programs are given and the Service of that name.

    There is none where no pod is behind that address: what the agent is let out to is then not its proxy.
    """
    url = urlsplit(box.proxy)
    if not url.hostname:
        return Proxy({}, NO_PORT)
    service = box.object("Service", url.hostname.split(".")[0])["spec"]
    labels = dict(service.get("selector") or {})
    pods = (each for each in box.objects if pod_spec(each) and each["kind"] == "Deployment")
    workload = next((each for each in pods if labels.items() <= labels_of(each).items()), None)
    port = next((each for each in service.get("ports") or () if each["port"] == url.port), None)
    if not labels or port is None:
        return Proxy({}, NO_PORT)
    return Proxy(labels, _number(port.get("targetPort", port["port"]), workload), workload)


def lists(box: Box, via: Proxy | None = None) -> list[str]:
    """Return the lines of the lists that the box's proxy is given; ``via`` is as in ``beyond``."""
    volumes = (pod_spec((via or proxy_of(box)).workload or {}) or {}).get("volumes") or ()
    maps = {each["configMap"]["name"] for each in volumes if "configMap" in each}
    texts = [
        text
        for each in box.objects
        if each["kind"] == "ConfigMap" and each["metadata"]["name"] in maps
        for key, text in sorted(each["data"].items())
        if key.startswith(LISTED)
    ]
    lines = (line.strip() for text in texts for line in text.splitlines())
    return [each for each in lines if each and not each.startswith("#")]


def _number(port: int | str, workload: Object | None) -> int:
    if isinstance(port, int) or workload is None:
        return int(port)
    containers = (pod_spec(workload) or {})["containers"]
    named = (each for one in containers for each in one.get("ports") or () if each.get("name") == port)
    return int(next(named)["containerPort"])


def beyond(
    box: Box,
    kube: Kube,
    policies: Sequence[Object],
    port: int = NO_PORT,
    *,
    but: Sequence[int] = (),
    via: Proxy | None = None,
) -> list[str]:
    """Return what policies open to the agent beyond what is meant (on one port, where given); an observation.

    Openings of the ports ``but`` are left out. ``via`` is the proxy, where the box is not told to use it.
    """
    servers, proxy = api_servers(kube), via or proxy_of(box)

    def meant(opening: Opening) -> bool:
        if opening.ports[0] == opening.ports[1] and opening.ports[0] in but:
            return True
        mine = bool(proxy.labels) and of_pods(opening, proxy.labels, None, {proxy.port: frozenset({"TCP"})})
        return (
            mine
            or of_pods(opening, RESOLVER, SYSTEM, NAMES)
            or covered(opening, servers.networks, servers.ports)
        )

    found = openings(policies, box.namespace, dict(box.labels), "Egress")
    return _shown("beyond what is meant", found, meant, port)


def of_the_proxy(
    box: Box, kube: Kube, policies: Sequence[Object], direction: Direction, via: Proxy | None = None
) -> list[str]:
    """Return what policies open to the proxy, or to it, beyond what it is there for; an observation.

    Out: the cluster's resolver, and 443 outside the cluster. In: the agent alone. ``via``: as in ``beyond``.
    """
    proxy, inner = via or proxy_of(box), inside(kube)
    if not proxy.labels:
        return observe(f"{direction.lower()} of the proxy", box.namespace, ["no pod is behind its Service"])

    def meant(opening: Opening) -> bool:
        if direction == "Ingress":
            every = {port: frozenset({"TCP"}) for port in range(1, 65536)}
            return of_pods(opening, box.labels, None, every)
        https = opening.ports == (HTTPS, HTTPS) and opening.protocol == "TCP" and opening.peers.pods is None
        kept = https and all(without([each], opening.peers.networks) == [each] for each in inner)
        return kept or of_pods(opening, RESOLVER, SYSTEM, NAMES)

    found = openings(policies, box.namespace, dict(proxy.labels), direction)
    return _shown(f"{direction.lower()} of the proxy", found, meant, NO_PORT)


def inside(kube: Kube) -> list[Network]:
    """Return what is inside the cluster: ranges of pods, Services, nodes; and what is link-local.

    A node has whatever pods are there with its network, or with a port of it.
    """
    nodes = kube.list("Node")
    ranges = [cidr for each in nodes for cidr in each["spec"].get("podCIDRs") or ()]
    services = [cidr for each in kube.list("Service") for cidr in each["spec"].get("clusterIPs") or ()]
    found = {ipaddress.ip_network(each) for each in (*ranges, *services, *of_nodes(nodes)) if each != "None"}
    return [*sorted(found, key=str), LINK_LOCAL, LINK_LOCAL_SIX]


def _shown(kind: str, found: Iterable[Opening], meant: Callable[[Opening], bool], port: int) -> list[str]:
    wanted = [
        each for each in found if not meant(each) and (not port or each.ports[0] <= port <= each.ports[1])
    ]
    return observe(kind, f"port {port}" if port else "every port", sorted(each.text for each in wanted))


def with_rule(policies: Sequence[Object], labels: Mapping[str, str], rule: dict[str, Any]) -> list[Object]:
    """Return copies of policies, one of which (of the pod with ``labels``) has one rule of egress more.

    Where none selects the pod by its labels, there is one more that does.
    """
    made = copy.deepcopy(list(policies))
    spec = {"podSelector": {"matchLabels": dict(labels)}, "policyTypes": ["Egress"]}
    space = next((each["metadata"].get("namespace", "") for each in made), "")
    more: Object = {
        "kind": "NetworkPolicy",
        "metadata": {"name": "one-more", "namespace": space},
        "spec": spec,
    }
    by_labels = (each for each in made if labels.items() >= _selected(each).items() and _selected(each))
    mine = next(by_labels, None) or more
    mine["spec"].setdefault("egress", []).append(rule)
    return made if mine is not more else [*made, more]


def _selected(policy: Object) -> dict[str, str]:
    return dict((policy["spec"].get("podSelector") or {}).get("matchLabels") or {})


def decoys(port: int) -> dict[str, dict[str, Any]]:
    """Return rules that open ``port`` too far, each in one thing: what a check has to see."""
    ports = [{"protocol": "TCP", "port": port}]
    system = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": SYSTEM}}}
    resolver = {"podSelector": {"matchLabels": RESOLVER}}
    public = {"ipBlock": {"cidr": "0.0.0.0/0", "except": [*PRIVATE, str(LINK_LOCAL)]}}
    return {
        "everything but private ranges": {"to": [public], "ports": ports},
        "half of all addresses": {"to": [{"ipBlock": {"cidr": "128.0.0.0/1"}}], "ports": ports},
        "one address": {"to": [{"ipBlock": {"cidr": "203.0.113.9/32"}}], "ports": ports},
        "every IPv6 address": {"to": [{"ipBlock": {"cidr": "::/0"}}], "ports": ports},
        "a dash too many": {"to": [system, resolver], "ports": ports},
        "resolvers of every namespace": {"to": [{"namespaceSelector": {}} | resolver], "ports": ports},
        "everyone": {"ports": ports},
    }
