"""Where pods ask for names, whether a box lets them there, and names of the outside that we answer.

Most clusters have it where these manifests look: pods ``k8s-app=kube-dns`` of ``kube-system``, on 53. A cache
on the node (NodeLocal DNSCache) is an address instead, which no selector of pods means; OpenShift has other
pods, in another namespace, which listen on 5353.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boxproof.kube.client import Kube, Object
from boxproof.kube.network_policies import Place, matches, one_way
from boxproof.subject.manifests.pod_specs import pod_spec
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import until

DNS = 53
SYSTEM = "kube-system"
CONVENTION = {"k8s-app": "kube-dns"}  # of the Service and its pods, whatever program it is
SERVICES = (("openshift-dns", "dns-default"), (SYSTEM, "kube-dns"), (SYSTEM, "coredns"))
CACHE = "node-local-dns"
LISTENS = ("-localip", "--localip")  # the cache's option with the addresses it answers at
HINT = 'docs/network.md, "Where the DNS is elsewhere", has the rule'
ANNOTATION = "boxproof.dev/corefile"
ROLLOUT_TIMEOUT = 60.0
BLOCK = re.compile(r"^[ \t]*hosts \{ # boxproof\n.*?^[ \t]*\}\n", re.MULTILINE | re.DOTALL)


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


def stub_hosts(kube: Kube, names: Sequence[str], address: str) -> None:
    """Have the cluster's DNS answer ``names`` with ``address``; without names it forgets them again.

    Returns once every DNS pod serves it. Raises EnvironmentFault when CoreDNS is not as expected, or
    does not take it in time.
    """
    config = kube.get("ConfigMap", "coredns", SYSTEM)
    before = str(config.get("data", {}).get("Corefile", ""))
    wanted = corefile(before, names, address)
    if wanted != before:
        path = kube.path("ConfigMap", "coredns", SYSTEM)
        kube.patch(path, {"data": {"Corefile": wanted}})
    mark = hashlib.sha256(wanted.encode()).hexdigest()[:16]
    deployment = kube.path("Deployment", "coredns", SYSTEM)
    live = kube.raw(deployment)
    if _mark(live) != mark and (wanted != before or _mark(live)):
        # A mounted file follows its ConfigMap within a minute or two: new pods have it at once.
        template = {"metadata": {"annotations": {ANNOTATION: mark}}}
        kube.patch(deployment, {"spec": {"template": template}}, "strategic-merge-patch+json")
    if _serving(kube):
        return
    with progress.step("DNS of the cluster"):
        until(lambda: _serving(kube), timeout=ROLLOUT_TIMEOUT, what="CoreDNS with its new configuration")


def corefile(before: str, names: Sequence[str], address: str) -> str:
    """Return a Corefile with our names; raises EnvironmentFault when it has no place for them."""
    plain = BLOCK.sub("", before)
    if not names:
        return plain
    place = re.search(r"^([ \t]*)kubernetes ", plain, re.MULTILINE)
    if not place:
        raise EnvironmentFault("the cluster's Corefile has no kubernetes block")
    indent = place[1]
    inner = [f"{address} {name}" for name in sorted(set(names))]
    lines = ["hosts { # boxproof", *(f"    {each}" for each in [*inner, "ttl 5", "fallthrough"]), "}"]
    block = "".join(f"{indent}{line}\n" for line in lines)
    return plain[: place.start()] + block + plain[place.start() :]


def _mark(deployment: Object) -> str:
    meta = deployment["spec"]["template"].get("metadata", {})
    return str((meta.get("annotations") or {}).get(ANNOTATION, ""))


def _serving(kube: Kube) -> bool:
    """Return whether all DNS pods are of the newest template and Ready, and the old ones take no queries."""
    live = kube.raw(kube.path("Deployment", "coredns", SYSTEM))
    status, replicas = live.get("status", {}), live["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < live["metadata"]["generation"]:
        return False
    counts = [status.get(each, 0) for each in ("replicas", "updatedReplicas", "readyReplicas")]
    return counts == [replicas] * 3
