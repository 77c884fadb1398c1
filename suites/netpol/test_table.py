"""Every kind of connection, once: what the rendered policies allow is what packets do."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.session import ClusterInfo, Session
from boxproof.deployment.box import Box
from boxproof.deployment.cluster_requirements import demand
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Twins
from boxproof.kube.client import Kube, Object
from boxproof.kube.network_policies import Place
from boxproof.probes.network import connectivity, truth_table
from boxproof.probes.network.connectivity import Spot
from boxproof.probes.network.outside import Outside
from boxproof.probes.network.reach import Reach
from boxproof.probes.network.truth_table import Line, Taken, counted
from boxproof.probes.pods.helper_pods import workers
from boxproof.probes.pods.probe_pods import Twin, settled
from boxproof.probes.probe_protocol import Prober
from boxproof.subject.manifests.pod_specs import pod_spec, without_pods
from pytest_claims import claim, control, observe
from pytest_claims.faults import EnvironmentFault

NEEDS_TWO = "needs two nodes that take pods"
PORTS = (53, 80, 443, 3128, 3129, 6443, 8080)
RESOLVER = ((53, "TCP"), (53, "UDP"), (9153, "TCP"))  # CoreDNS: names, and its metrics
AGENT, PROXY, NEIGHBOUR = "claude-agent", "claude-egress", "neighbour"
MEANT = {("resolver", 53, "TCP"), ("resolver", 53, "UDP"), (PROXY, 3128, "TCP")}  # docs/network.md
FEWEST = 300  # rows
MAY_BIND = {
    "runAsUser": 0, "runAsNonRoot": False, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
}  # fmt: skip


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


class Places:
    """Makes places that listen on every port, and says where others are."""

    def __init__(self, kube: Kube, twin: Twins) -> None:
        self.kube, self.twin = kube, twin

    def pod(self, name: str, namespace: str, labels: Mapping[str, str], node: str) -> tuple[str, Twin]:
        """Start a pod of the probe image, without waiting, and return it with its name in the table."""
        return name, self.twin(
            namespace=namespace, labels=labels, node=node, security=MAY_BIND, fresh=True, ready=False
        )

    def spot(self, name: str, started: Twin) -> Spot:
        """Return a pod once it is there and listens; raises EnvironmentFault, which names it."""
        twin = settled(started)
        place = Place(name, twin.address, twin.namespace, twin.labels, self.labels_of(twin.namespace))
        return listening(place, twin)

    def resolver(self) -> Spot:
        """Return a pod of the cluster's DNS."""
        pod = self.kube.list("Pod", "kube-system", "k8s-app=kube-dns")[0]
        space, labels = pod["metadata"]["namespace"], pod["metadata"]["labels"]
        place = Place("resolver", pod["status"]["podIP"], space, labels, self.labels_of(space))
        return Spot(place, RESOLVER)

    def labels_of(self, namespace: str) -> dict[str, str]:
        """Return the labels of a namespace."""
        found: dict[str, str] = self.kube.get("Namespace", namespace)["metadata"].get("labels", {})
        return found


def listening(place: Place, prober: Prober) -> Spot:
    """Return a place of ours once it listens on every port."""
    return connectivity.exposed(place, prober, PORTS, secrets.token_hex(8))


@pytest.fixture
def spots(
    empty: Box, kube: Kube, twin: Twins, aside: str, cluster: ClusterInfo, docker: Any, session: Session
) -> Iterator[list[Spot]]:
    """Pods as the box has them and others, on the same node and on another; and places outside."""
    near, far, *_ = [*workers(kube), ""]
    if not far:
        demand(session, NEEDS_TWO)
        raise EnvironmentFault(NEEDS_TWO, hint="cluster/topology.yaml")
    made, host = Places(kube, twin), cluster.apiserver.rpartition(":")
    own = {each["metadata"]["name"]: labels_of(each) for each in empty.objects if pod_spec(each)}
    wanted = [(name, empty.namespace, labels) for name, labels in own.items()]
    wanted += [(NEIGHBOUR, empty.namespace, {"role": NEIGHBOUR}), ("stranger", aside, {"role": "stranger"})]
    outside = Outside(docker, session.probe_image, session.run)
    with ExitStack() as stack, ThreadPoolExecutor(8) as pool:
        stack.callback(outside.remove)
        pods = [
            made.pod(f"{name} ({where})", space, labels, node)
            for name, space, labels in wanted
            for where, node in (("near", near), ("far", far))
        ]
        for _, each in pods:
            stack.callback(each.remove)
        found = list(pool.map(lambda each: made.spot(*each), pods))
        found += [listening(Place("outside", outside.address), outside), made.resolver()]
        yield [*found, Spot(Place("API server", host[0]), ((int(host[2]), "TCP"),))]


def labels_of(workload: Object) -> dict[str, str]:
    """Return the labels of a workload's pods."""
    return dict(workload["spec"]["template"]["metadata"]["labels"])


@pytest.fixture
def taken(request: pytest.FixtureRequest, session: Session, kube: Kube) -> Taken:
    """The table of this run: who asks first takes it, in an instance of its own."""

    def made() -> Taken:
        return truth_table.take(request.getfixturevalue("spots"), request.getfixturevalue("policies"), kube)

    return truth_table.shared(Path(session.directory) / "tables" / "netpol.json", made)


def of(role: str, place: str) -> bool:
    """Return whether a place of the table is one of a role's pods."""
    return place.startswith(f"{role} (")


@claim("netpol-enforced-by-cni")
def test_packets_do_what_the_policies_allow(taken: Taken) -> None:
    lines = taken.lines
    assert len(lines) >= FEWEST
    assert 0 < sum(each.allowed for each in lines) < len(lines)
    with control("without the policies every row is open: something listens there, and there is a route"):
        observe("table", "no policy", counted(lines, [each.free for each in lines], taken.shut))
        assert taken.shut == []
    observe("in force", "each pod, each direction", {"seconds": dict(taken.in_force)})
    found = counted(lines, [each.ended for each in lines], taken.mismatches)
    observe("table", "the box's policies", found | {"seconds": taken.seconds})
    assert not taken.late, f"seconds a connection that is not allowed went on getting through: {taken.late}"
    assert not taken.mismatches, f"{len(taken.mismatches)} of {len(lines)} rows: {taken.mismatches}"


def opened(asked: str, lines: Sequence[Line]) -> list[str]:
    """Return which of the lines are open under the policies; an observation."""
    return observe("open", asked, sorted(each.text for each in lines if each.ended is Reach.OPEN))


@claim("netpol-other-ports-blocked")
def test_the_agent_gets_to_what_is_meant_and_nowhere_else(taken: Taken) -> None:
    def beyond(role: str) -> list[Line]:
        return [each for each in taken.lines if of(role, each.source) and not meant(each)]

    with control("a pod that no policy selects gets further"):
        assert opened("from a neighbour", beyond(NEIGHBOUR))
    assert opened("from the agent, beyond what is meant", beyond(AGENT)) == []


def meant(line: Line) -> bool:
    """Return whether the agent is meant to get there."""
    role = line.target.partition(" (")[0]
    return role == "API server" or (role, line.port, line.protocol) in MEANT


@claim("netpol-ingress-denied-nothing-listens")
def test_nothing_gets_into_the_agent_on_any_port(taken: Taken) -> None:
    with control("a neighbour is reached from the same places"):
        assert opened("into a neighbour", [each for each in taken.lines if of(NEIGHBOUR, each.target)])
    assert opened("into the agent", [each for each in taken.lines if of(AGENT, each.target)]) == []
