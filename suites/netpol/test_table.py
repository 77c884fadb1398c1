"""Every kind of connection, once: what the rendered policies allow is what packets do."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest

from boxproof.errors import DeadlineExceeded, EnvironmentFault
from boxproof.kube.client import Kube, Object
from boxproof.probes import table
from boxproof.probes.enforcement import HELD, TAKES_HOLD
from boxproof.probes.outside import Outside
from boxproof.probes.pods import Twin
from boxproof.probes.reach import Reach
from boxproof.probes.table import Row, Spot
from boxproof.proof import Box, claim, control, observe, scope
from boxproof.proof.factories import Twins
from boxproof.proof.fixtures import MakeBox
from boxproof.session import ClusterInfo, Session
from boxproof.subject.netpol import Place
from boxproof.subject.podspecs import pod_spec, without_pods
from boxproof.wait import holds, until

PORTS = (53, 80, 443, 3128, 3129, 6443, 8080)
RESOLVER = ((53, "TCP"), (9153, "TCP"))  # CoreDNS: names, and its metrics
FEWEST = 300  # rows
ROUTES = 60.0  # seconds for new pods to be routed to across nodes
MAY_BIND = {
    "runAsUser": 0, "runAsNonRoot": False, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
}  # fmt: skip


class Spots:
    """Makes the spots of the table: pods with the labels of the box's own, others, and what is outside."""

    def __init__(self, box: Box, kube: Kube, twin: Twins) -> None:
        self.box, self.kube, self.twin = box, kube, twin

    def pod(self, name: str, namespace: str, labels: dict[str, str], node: str) -> Spot:
        """Return a pod of the probe image that listens on every port."""
        made = self.twin(namespace=namespace, labels=labels, node=node, security=MAY_BIND, fresh=True)
        return self.listening(name, made, made.labels, namespace)

    def listening(self, name: str, prober: Twin | Outside, labels: Any = None, namespace: str = "") -> Spot:
        """Return something of ours as a spot."""
        place = Place(name, prober.address, namespace, labels or {}, self.labels_of(namespace))
        return table.exposed(place, prober, PORTS, secrets.token_hex(8))

    def resolver(self) -> Spot:
        """Return a pod of the cluster's DNS as a spot."""
        pod = self.kube.list("Pod", "kube-system", "k8s-app=kube-dns")[0]
        space, labels = pod["metadata"]["namespace"], pod["metadata"]["labels"]
        place = Place("resolver", pod["status"]["podIP"], space, labels, self.labels_of(space))
        return Spot(place, RESOLVER)

    def labels_of(self, namespace: str) -> dict[str, str]:
        """Return the labels of a namespace, none of none."""
        if not namespace:
            return {}
        found: dict[str, str] = self.kube.get("Namespace", namespace)["metadata"].get("labels", {})
        return found


@pytest.fixture
def policies() -> list[Object]:
    """The policies that the instance is made without, filled when it is made."""
    return []


@pytest.fixture
def empty(make_box: MakeBox, policies: list[Object]) -> Box:
    """An instance without pods of its own, whose policies are kept back."""

    def kept_back(objects: list[Object]) -> None:
        policies.extend(each for each in objects if each["kind"] == "NetworkPolicy")
        objects[:] = [each for each in objects if each["kind"] != "NetworkPolicy"]
        without_pods(objects)

    made = make_box(edit=kept_back, ready=False)
    for each in policies:
        each["metadata"]["namespace"] = made.namespace
    return made


@pytest.fixture
def spots(
    empty: Box, kube: Kube, twin: Twins, aside: str, cluster: ClusterInfo, docker: Any, session: Session
) -> Iterator[list[Spot]]:
    """Pods as the box has them and others, on the same node and on another; and places outside."""
    made, outside = Spots(empty, kube, twin), Outside(docker, session.probe_image, session.run)
    near, far = workers(kube)
    own, host = empty.namespace, cluster.apiserver.rpartition(":")
    roles = {each["metadata"]["name"]: labels_of(each) for each in empty.objects if pod_spec(each)}
    found = [
        made.pod(f"{name} ({where})", own, labels, node)
        for name, labels in roles.items()
        for where, node in (("near", near), ("far", far))
    ]
    found += [
        made.pod(f"{name} ({where})", space, {"role": name}, node)
        for name, space in (("neighbour", own), ("stranger", aside))
        for where, node in (("near", near), ("far", far))
    ]
    found += [made.listening("outside", outside), made.resolver()]
    yield [*found, Spot(Place("API server", host[0]), ((int(host[2]), "TCP"),))]
    outside.remove()


def labels_of(workload: Object) -> dict[str, str]:
    """Return the labels of a workload's pods."""
    return dict(workload["spec"]["template"]["metadata"]["labels"])


def workers(kube: Kube) -> tuple[str, str]:
    """Return two nodes that take pods; raises EnvironmentFault for a cluster that has only one."""
    free = [each["metadata"]["name"] for each in kube.list("Node") if not each["spec"].get("taints")]
    if len(free) < 2:
        raise EnvironmentFault("the table needs two nodes that take pods", hint="cluster/topology.yaml")
    return free[0], free[1]


def settled(asked: str, rows: list[Row], policies: list[Object], within: float) -> list[str]:
    """Return the mismatches that are left once there are none, or after so many seconds; an observation."""
    wanted, started = table.expected(rows, policies), time.monotonic()
    seen: dict[str, Reach] = {}

    def look() -> bool:
        seen.update(table.tried(rows))
        return not table.mismatches(wanted, seen)

    with contextlib.suppress(DeadlineExceeded):  # what is still missing then is for the check to say
        until(look, timeout=within, what="packets do what is allowed", every=0.2)
    took = {"seconds": round(time.monotonic() - started, 2)}
    opened = sum(each is Reach.OPEN for each in seen.values())
    left = table.mismatches(wanted, seen)
    observe("table", asked, {"rows": len(rows), "open": opened, "mismatches": left, **took})
    return left


@claim("netpol-enforced-by-cni")
@scope("cluster")  # hundreds of connections at once, and none of them disturbed by what others start and stop
def test_packets_do_what_the_policies_allow(spots: list[Spot], policies: list[Object], kube: Kube) -> None:
    rows = table.rows(spots)
    assert len(rows) >= FEWEST
    assert 0 < sum(table.expected(rows, policies).values()) < len(rows)
    with control("without the policies every row is open: something listens there, and there is a route"):
        assert settled("no policy", rows, [], ROUTES) == []
    kube.apply(policies)
    assert settled("the box's policies", rows, policies, TAKES_HOLD) == []
    wanted = table.expected(rows, policies)
    assert holds(lambda: not table.leaks(wanted, table.tried(rows)), seconds=HELD)
