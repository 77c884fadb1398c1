"""What policy checks share: the agent once its policies hold, a pod that hears and says nothing, places."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from boxproof.core.session import RUN_LABEL, ClusterInfo, EngineInfo, Session
from boxproof.deployment import deploy
from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Listeners, Twins
from boxproof.kube.client import Kube
from boxproof.probes.connectivity import CANARY, Barrier, allow_all, becomes, deny_all
from boxproof.probes.pods.probe_pods import Twin
from boxproof.probes.reach import DENIED, Listener, Outside, Reach, listen, reached
from pytest_claims.faults import EnvironmentFault
from suites.netpol import public_addresses

MUTED = {"boxproof.dev/canary": "muted"}
# what lets a pod that is not root listen on port 53, under any level of Pod Security
LOW_PORTS = {"securityContext": {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]}}
ANY_PUBLIC = 2  # addresses at random, beside the reserved ones

Settled = Callable[[Box], Box]


@pytest.fixture(scope="session")
def barriers(session: Session, kube: Kube, twin: Twins) -> Callable[[str], None]:
    """``barriers(node)``: what was applied before is in force on that node from here on."""
    space, made = deploy.probes_namespace(session, kube), {}

    def passed(node: str) -> None:
        if node not in made:
            canary = twin(namespace=space, labels={CANARY: "none"}, node=node)
            other = twin(namespace=space, labels={"role": "in-force"})
            made[node] = Barrier(kube, canary, listen(other, token=secrets.token_hex(8)))
        made[node].passed()

    return passed


@pytest.fixture(scope="session")
def settled(barriers: Callable[[str], None]) -> Settled:
    """``settled(box)``: the box once it has an address and its policies are in force for it."""

    def settle(box: Box) -> Box:
        barriers(box.wait_addressed().node)
        return box

    return settle


@pytest.fixture(scope="session")
def agent(box_applied: Box, settled: Settled) -> Box:
    """The instance under test once its policies are in force; its gate may hold it still."""
    return settled(box_applied)


@pytest.fixture(scope="session")
def authority(session: Session) -> str:
    """The certificate of the authority that vouches for the stub, PEM."""
    return deploy.stub_of(session).ca


@pytest.fixture
def muted(kube: Kube, twin: Twins, aside: str, listener: Listeners) -> Iterator[Twin]:
    """A twin under a policy that denies everything, shown to be in force."""
    policy = deny_all(aside, MUTED, "muted")
    kube.apply([policy])
    made, target = twin(labels=MUTED), listener.on(twin())
    if becomes(made, target, DENIED) not in DENIED:
        raise EnvironmentFault(
            "a deny-all policy is not enforced", hint="the pod network must enforce policies"
        )
    if reached(twin(), target) is not Reach.OPEN:
        raise EnvironmentFault("the listener is not reached by another pod either")
    yield made


@pytest.fixture
def neighbour(kube: Kube, twin: Twins, session: Session) -> Iterator[Callable[..., Twin]]:
    """``neighbour(namespace, labels)``: a twin there which not even a policy for all pods holds."""
    made, free = [], {"boxproof.dev/free": secrets.token_hex(4)}

    def beside(namespace: str, labels: Mapping[str, str] | None = None, **options: Any) -> Twin:
        policy = allow_all(namespace, free, f"free-{free['boxproof.dev/free']}")
        policy["metadata"]["labels"] = {RUN_LABEL: session.run}
        kube.apply([policy])
        made.append(policy)
        return twin(namespace=namespace, labels={**(labels or {}), **free}, **options)

    yield beside
    kube.delete(made)


@pytest.fixture
def public(engine: EngineInfo, cluster: ClusterInfo, outside: Outside) -> Iterator[list[str]]:
    """Addresses of the internet at which ``outside`` answers: reserved ones, and some at random."""
    addresses = public_addresses.chosen(ANY_PUBLIC)
    with public_addresses.answered(engine, cluster, outside, addresses):
        yield addresses


@pytest.fixture
def everywhere(outside: Outside, public: list[str], listener: Listeners) -> Callable[..., list[Listener]]:
    """``everywhere(port, udp=…)``: one listener outside, by its own address and by public ones."""

    def at(port: int, *, udp: bool = False) -> list[Listener]:
        made = listener.on(outside, port, udp=udp)
        return [made, *(replace(made, address=each) for each in public)]

    return at
