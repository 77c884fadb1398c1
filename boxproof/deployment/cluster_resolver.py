"""Where a cluster's pods ask for names, and whether the policies of a box let it there.

Most clusters have it where these manifests look: pods ``k8s-app=kube-dns`` of ``kube-system``, on 53. A cache
on the node (NodeLocal DNSCache) is an address instead, which no selector of pods means; OpenShift has other
pods, in another namespace, which listen on 5353.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boxproof.kube.client import Kube, Object
from boxproof.kube.network_policies import Place, matches, one_way
from boxproof.subject.manifests.pod_specs import pod_spec
from pytest_claims.faults import EnvironmentFault

DNS = 53
SYSTEM = "kube-system"
CONVENTION = {"k8s-app": "kube-dns"}  # of the Service and its pods, whatever program it is
SERVICES = (("openshift-dns", "dns-default"), (SYSTEM, "kube-dns"), (SYSTEM, "coredns"))
CACHE = "node-local-dns"
LISTENS = ("-localip", "--localip")  # the cache's option with the addresses it answers at
HINT = 'docs/network.md, "Where the DNS is elsewhere", has the rule'


@dataclass(frozen=True)
class Resolver:
    """What pods ask: ``places`` with the port of each there, and how it is called."""

    called: str
    places: tuple[tuple[Place, int], ...]

    @property
    def text(self) -> str:
        """How it is told: who it is, and where."""
        shown = ", ".join(dict.fromkeys(f"{place.address}:{port}" for place, port in self.places[:3]))
        return f"{self.called} at {shown}"


def of(kube: Kube) -> Resolver | None:
    """Return what the pods of a cluster ask for names, None where its API does not show it."""
    return _cache(kube) or _service(kube)


def demand(kube: Kube, objects: Sequence[Object]) -> None:
    """Raise EnvironmentFault where a policy lets a workload out to a DNS, and not to the cluster's own.

    One that lets nobody ask for names means it so.
    """
    policies = [_placed(each) for each in objects if each["kind"] == "NetworkPolicy"]
    found = of(kube) if policies else None
    for workload in objects if found else ():
        place = _place_of(workload)
        mine = [each for each in policies if place and _selects(each, place)]
        if place is None or found is None or not any(map(_asks, mine)):
            continue
        if not all(_lets_out(mine, place, each, port) for each, port in found.places):
            names = ", ".join(sorted(each["metadata"]["name"] for each in mine))
            told = f"{workload['kind']} {workload['metadata']['name']}, out to a DNS"
            raise EnvironmentFault(
                f"NetworkPolicy {names} lets {told}, and not to this cluster's: {found.text}", hint=HINT
            )


def _lets_out(policies: Sequence[Object], pods: Place, resolver: Place, port: int) -> bool:
    try:
        return one_way(policies, pods, resolver, port, "UDP", "Egress")
    except EnvironmentFault:  # a port with a name: nobody can tell, and the claims about policies say so
        return True


def _cache(kube: Kube) -> Resolver | None:
    """Return the cache on the nodes, where there is one: its addresses, or its pods where it has its own."""
    for each in kube.list("DaemonSet"):
        labels = each["metadata"].get("labels") or {}
        if CACHE not in (each["metadata"]["name"], labels.get("k8s-app")):
            continue
        spec = pod_spec(each) or {}
        if spec.get("hostNetwork"):
            places = tuple((Place(CACHE, address), DNS) for address in _addresses(spec))
            return Resolver("NodeLocal DNSCache", places) if places else None
        namespace = each["metadata"]["namespace"]
        own = each["spec"]["template"]["metadata"].get("labels") or {}
        pods = kube.list("Pod", namespace, ",".join(f"{key}={value}" for key, value in own.items()))
        found = [_pod_place(kube, pod) for pod in pods if pod.get("status", {}).get("podIP")]
        return Resolver("NodeLocal DNSCache", tuple((place, DNS) for place in found)) if found else None
    return None


def _addresses(spec: Mapping[str, Any]) -> Iterator[str]:
    """Yield the addresses that the cache answers at, by the options of its program."""
    for container in spec.get("containers") or ():
        words = [*(container.get("command") or ()), *(container.get("args") or ())]
        for number, word in enumerate(words):
            name, _, value = word.partition("=")
            if name in LISTENS:
                given = value or (words[number + 1] if number + 1 < len(words) else "")
                yield from filter(_is_address, given.split(","))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _service(kube: Kube) -> Resolver | None:
    """Return the pods behind the Service of the cluster's DNS, and the port that they have."""
    service = _called(kube.list("Service"))
    if service is None:
        return None
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    found = []
    for part in kube.list("EndpointSlice", namespace, f"kubernetes.io/service-name={name}"):
        ports = [each["port"] for each in part.get("ports") or () if each.get("protocol") == "UDP"]
        for endpoint in part.get("endpoints") or ():
            target = endpoint.get("targetRef") or {}
            pod = kube.find("Pod", target["name"], namespace) if target.get("kind") == "Pod" else None
            address = endpoint["addresses"][0]
            place = _pod_place(kube, pod) if pod else Place(name, address)
            found += [(place, port) for port in ports]
    return Resolver(f"{namespace}/{name}", tuple(found)) if found else None


def _called(services: Iterable[Object]) -> Object | None:
    """Return the Service of the cluster's DNS, by the names it has; else the one that is labelled as it."""
    by_name = {(each["metadata"]["namespace"], each["metadata"]["name"]): each for each in services}
    for name in SERVICES:
        if name in by_name:
            return by_name[name]
    labelled = (
        each
        for (namespace, _), each in by_name.items()
        if namespace == SYSTEM and matches({"matchLabels": CONVENTION}, each["metadata"].get("labels") or {})
    )
    return next(labelled, None)


def _pod_place(kube: Kube, pod: Object) -> Place:
    meta = pod["metadata"]
    space = kube.get("Namespace", meta["namespace"])["metadata"].get("labels") or {}
    address = str(pod["status"]["podIP"])
    return Place(meta["name"], address, meta["namespace"], meta.get("labels") or {}, space)


def _placed(policy: Object) -> Object:
    """Return a policy that names its namespace, "" where it is that of whoever applies it."""
    return {**policy, "metadata": {"namespace": "", **policy["metadata"]}}


def _place_of(workload: Object) -> Place | None:
    """Return the pods of a workload as policies see them, None for what makes no pods."""
    if pod_spec(workload) is None:
        return None
    meta = (workload["spec"].get("template") or workload).get("metadata") or {}
    namespace = workload["metadata"].get("namespace") or ""
    return Place(workload["metadata"]["name"], "", namespace, meta.get("labels") or {})


def _selects(policy: Object, place: Place) -> bool:
    same = (policy["metadata"].get("namespace") or "") == place.namespace
    return same and matches(policy["spec"].get("podSelector") or {}, place.labels)


def _asks(policy: Object) -> bool:
    """Return whether a policy has a rule about DNS: one for its port."""
    rules = policy["spec"].get("egress") or ()
    return any(each.get("port") == DNS for rule in rules for each in rule.get("ports") or ())
