"""Every kind of connection, once: what the rendered policies allow is what packets do."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.session import ClusterInfo, EngineInfo, Session
from boxproof.deployment.box import Box
from boxproof.deployment.cluster_requirements import demand
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Twins
from boxproof.kube.client import Kube, Object
from boxproof.kube.network_policies import Place
from boxproof.probes import connectivity
from boxproof.probes.connectivity import Spot
from boxproof.probes.pods.helper_pods import workers
from boxproof.probes.pods.probe_pods import Twin, settled
from boxproof.probes.probe_program import Prober
from boxproof.probes.reach import Outside, Reach
from boxproof.subject.manifests.pod_specs import labels, pod_spec, without_pods
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require
from pytest_claims.faults import EnvironmentFault
from suites.netpol import public_addresses, truth_table
from suites.netpol.conftest import LOW_PORTS
from suites.netpol.meant import RESOLVER as RESOLVER_LABELS
from suites.netpol.test_space import claimed_elsewhere
from suites.netpol.truth_table import Line, Taken, counted

NEEDS_TWO = "needs two nodes that take pods"
PORTS = (22, 53, 80, 443, 3128, 3129, 6443, 8080)  # and one at random
RESOLVER = ((53, "TCP"), (53, "UDP"), (9153, "TCP"))  # CoreDNS: names, and its metrics
PROXY, NEIGHBOUR = "claude-egress", "neighbour"
NAMES = {("resolver", 53, "TCP"), ("resolver", 53, "UDP")}
MEANT = NAMES | {(PROXY, 3128, "TCP")}  # docs/network.md
OF_THE_PROXY = NAMES | {("outside", 443, "TCP"), ("public", 443, "TCP")}
INTO_THE_PROXY = {3128, 3129}
FEWEST = 300  # rows


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
        for each in objects:
            if each["kind"] == "Namespace":  # what listens on every port is root
                each["metadata"]["labels"] = {}
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
            namespace=namespace, labels=labels, node=node, spec=LOW_PORTS, fresh=True, ready=False
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


ALSO = 4000 + secrets.randbelow(15000)  # below the ports that connections come from


def listening(place: Place, prober: Prober) -> Spot:
    """Return a place of ours once it listens on every port."""
    return connectivity.exposed(place, prober, sorted({*PORTS, ALSO}), secrets.token_hex(8))


@pytest.fixture
def spots(
    empty: Box,
    kube: Kube,
    twin: Twins,
    aside: str,
    cluster: ClusterInfo,
    docker: Any,
    session: Session,
    engine: EngineInfo,
) -> Iterator[list[Spot]]:
    """Pods as the box has them and others, on the same node and on another; and places outside."""
    near, far, *_ = [*workers(kube), ""]
    if not far:
        demand(session, NEEDS_TWO)
        raise EnvironmentFault(NEEDS_TWO, hint="cluster/topology.yaml")
    made, host = Places(kube, twin), cluster.apiserver.rpartition(":")
    own = {each["metadata"]["name"]: labels(each) for each in empty.objects if pod_spec(each)}
    wanted = [(name, empty.namespace, labels) for name, labels in own.items()]
    wanted.append((NEIGHBOUR, empty.namespace, {"role": NEIGHBOUR}))
    # each has all but the namespace of those whom a policy names, and no policy of the box selects it
    doubles = [(double_of(name), aside, labels) for name, labels in own.items()]
    doubles.append((double_of("the resolver"), aside, dict(RESOLVER_LABELS)))
    outside, public = Outside(docker, session.probe_image, session.run), public_addresses.chosen(1)
    with ExitStack() as stack, ThreadPoolExecutor(8) as pool:
        stack.callback(outside.remove)
        pods = [
            made.pod(f"{name} ({where})", space, labels, node)
            for name, space, labels in wanted
            for where, node in (("near", near), ("far", far))
        ]
        pods += [made.pod(f"{name} (near)", space, labels, near) for name, space, labels in doubles]
        for _, each in pods:
            stack.callback(each.remove)
        found = list(pool.map(lambda each: made.spot(*each), pods))
        beyond = listening(Place("outside", outside.address), outside)
        stack.enter_context(public_addresses.answered(engine, cluster, outside, public))
        found += [replace(beyond, place=Place(f"public ({each})", each)) for each in public]
        yield [*found, beyond, made.resolver(), Spot(Place("API server", host[0]), ((int(host[2]), "TCP"),))]


@pytest.fixture
def taken(request: pytest.FixtureRequest, session: Session, kube: Kube) -> Taken:
    """The table of this run: who asks first takes it, in an instance of its own."""

    def made() -> Taken:
        return truth_table.take(request.getfixturevalue("spots"), request.getfixturevalue("policies"), kube)

    return truth_table.shared(Path(session.directory) / "tables" / "netpol.json", made)


def double_of(name: str) -> str:
    """Return the role of a pod's double, which stands in another namespace."""
    return f"double of {name}"


def of(role: str, place: str) -> bool:
    """Return whether a place of the table is one of a role's pods."""
    return place.startswith(f"{role} (")


AS_ALLOWED = require(
    "packets do what the policies allow, row by row, and no pod's are late",
    lambda found: found["mismatches"] == 0 and found["late"] == {},
)
NOWHERE_ELSE = require("it gets to what is meant and nowhere else", lambda open_rows: open_rows == [])
NOBODY_IN = require("nothing gets in", lambda open_rows: open_rows == [])
PROXY_SHUT_IN = require("the proxy gets to the resolver and to 443 outside alone", lambda rows: rows == [])
PROXY_SERVES_ONE = require("only the agent gets to the proxy", lambda rows: rows == [])


@claim("netpol-enforced-by-cni")
@needs("policy")
def test_packets_do_what_the_policies_allow(taken: Taken) -> None:
    lines = taken.lines
    assert len(lines) >= FEWEST
    assert 0 < sum(each.allowed for each in lines) < len(lines)
    assert taken.shut == [], "without the policies a row is not open: nothing listens there, or no route"
    with control("without the policies every row is open, which is not what they allow"):
        wrong = [each.text for each in lines if not each.allowed]
        free = counted(lines, [each.free for each in lines], wrong)
        AS_ALLOWED.fails(observe("table", "no policy", free | {"late": {}}))
    observe("in force", "each pod, each direction", {"seconds": dict(taken.in_force)})
    found = counted(lines, [each.ended for each in lines], taken.mismatches)
    AS_ALLOWED(observe("table", "the box's policies", found | {"late": dict(taken.late)}))


def opened(asked: str, lines: Sequence[Line]) -> list[str]:
    """Return which of the lines are open under the policies; an observation."""
    return observe("open", asked, sorted(each.text for each in lines if each.ended is Reach.OPEN))


def role_of(place: str) -> str:
    """Return whose place it is, without where."""
    return place.partition(" (")[0]


@claim("netpol-other-ports-blocked")
def test_the_agent_gets_to_what_is_meant_and_nowhere_else(
    taken: Taken, box_applied: Box, subject: Subject
) -> None:
    def beyond(role: str) -> list[Line]:
        own = [each for each in taken.lines if of(role, each.source)]
        assert own, f"no row of the table begins at {role}"
        return [each for each in own if not meant(each) and each.port not in claimed_elsewhere(subject)]

    with control("its double in another namespace, which no policy selects, gets further"):
        NOWHERE_ELSE.fails(opened("from its double", beyond(double_of(box_applied.name))))
    NOWHERE_ELSE(opened("from the agent, beyond what is meant", beyond(box_applied.name)))


def meant(line: Line) -> bool:
    """Return whether the agent is meant to get there."""
    role = role_of(line.target)
    return role == "API server" or (role, line.port, line.protocol) in MEANT


@claim("netpol-ingress-denied-nothing-listens")
def test_nothing_gets_into_the_agent_on_any_port(taken: Taken, box_applied: Box) -> None:
    def into(role: str) -> list[Line]:
        own = [each for each in taken.lines if of(role, each.target)]
        assert own, f"no row of the table ends at {role}"
        return own

    with control("its double in another namespace is reached from the same places"):
        NOBODY_IN.fails(opened("into its double", into(double_of(box_applied.name))))
    NOBODY_IN(opened("into the agent", into(box_applied.name)))


@claim("netpol-proxy-confined")
@needs("box")
def test_the_proxys_own_packets_go_where_it_is_there_for(taken: Taken, box_applied: Box) -> None:
    def beyond(role: str) -> list[Line]:
        return [
            each
            for each in taken.lines
            if of(role, each.source) and (role_of(each.target), each.port, each.protocol) not in OF_THE_PROXY
        ]

    def into(role: str) -> list[Line]:
        own = [each for each in taken.lines if of(role, each.target)]
        return [
            each for each in own if not (of(box_applied.name, each.source) and each.port in INTO_THE_PROXY)
        ]

    assert any(of(PROXY, each.source) for each in taken.lines), "no row of the table begins at the proxy"
    with control("its double, which no policy selects, gets further, and others get to that"):
        PROXY_SHUT_IN.fails(opened("from its double", beyond(double_of(PROXY))))
        PROXY_SERVES_ONE.fails(opened("into its double", into(double_of(PROXY))))
    PROXY_SHUT_IN(opened("from the proxy, beyond what it is there for", beyond(PROXY)))
    PROXY_SERVES_ONE(opened("into the proxy", into(PROXY)))
