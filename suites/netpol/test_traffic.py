"""What the agent's packets may do, and what may reach the agent."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import pytest

from boxproof.agent import api_session
from boxproof.agent.agent_tools import kubectl
from boxproof.core.process import Result
from boxproof.core.session import ClusterInfo, Session
from boxproof.deployment.box import Box
from boxproof.fixtures.agent_modes import Modes, started
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Containers, Listeners, Twins
from boxproof.kube.client import Kube, Object
from boxproof.kube.network_policies import of_pod
from boxproof.kube.pod_status import is_ready
from boxproof.probes.connectivity import becomes, beside, opens
from boxproof.probes.pods.probe_pods import Twin
from boxproof.probes.reach import DENIED, Listener, Outside, Reach, lookup, reach, reached, resolved
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import holds, until
from suites.netpol.conftest import LOW_PORTS, Settled
from suites.netpol.meant import api_servers

CLUSTER_NAME = "kubernetes.default.svc.cluster.local"
EXTERNAL_NAME = "api.anthropic.com"
UNLISTED = (22, 8080, 9090)
MEANT = {53, 443, 3128, 6443}
NOBODY = ("--server=https://192.0.2.9:6443", "--request-timeout=5s")

SHUT = require("the connection is denied", lambda answer: answer in DENIED)
OPEN = require("the connection gets through", lambda answer: answer is Reach.OPEN)
RESOLVES = require("the name resolves to an address", lambda found: found.ok)
WELL = require("its kubectl is told that the API server is well", lambda said: said == "ok")
STAYS_READY = require("the pod stays Ready for {} s, and nothing restarts", lambda seen, _: seen == "ready")


@claim("netpol-dns-works-udp-tcp")
@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("name", [CLUSTER_NAME, EXTERNAL_NAME])
def test_names_resolve(
    agent: Box, muted: Twin, twin: Twins, cluster: ClusterInfo, name: str, tcp: bool
) -> None:
    if cluster.context and name == EXTERNAL_NAME and not resolved(twin(), name, tcp).ok:
        pytest.skip(f"the DNS of {cluster.context} knows no name outside")
    with control("a pod that is denied everything gets no answer"):
        RESOLVES.fails(lookup(muted, name, tcp, within=1.0))
    RESOLVES(beside(agent, twin(), lambda each: lookup(each, name, tcp), lambda found: found.ok, "a name"))


@claim("netpol-apiserver-reachable")
def test_the_api_server_is_reached(agent: Box, muted: Twin, twin: Twins, kube: Kube) -> None:
    servers = api_servers(kube)
    service = str(servers.networks[-1].network_address)
    with control("a pod that is denied everything does not get to the API server"):
        OPEN.fails(reach(muted, service, 443, within=1))
    for target in (CLUSTER_NAME, service):
        OPEN(opens(agent, twin(), target, 443))


@claim("netpol-apiserver-reachable")
@needs("tools")
def test_the_kubectl_in_the_pod_gets_there(agent: Box) -> None:
    box = agent.wait_ready()

    def said(*words: str) -> str:
        told = kubectl(box, *words, "get", "--raw", "/readyz")
        return observe("said to kubectl", " ".join(words) or "as it is", told.stdout.strip())

    with control("of an address where no API server is it hears nothing"):
        WELL.fails(said(*NOBODY))
    WELL(said())


@claim("netpol-other-ports-blocked")
@pytest.mark.parametrize("where", ["outside", "inside"])
def test_other_ports_are_denied(
    agent: Box, twin: Twins, outside: Outside, everywhere: Callable[..., list[Listener]], listener: Listeners,
    where: str,
) -> None:  # fmt: skip
    drawn = random.choice([each for each in range(1024, 32768) if each not in MEANT])  # below ephemeral ones
    other = twin()
    if where == "inside":
        neighbour = twin(spec=LOW_PORTS)
        targets = [listener.on(neighbour, port) for port in (*UNLISTED, drawn)]
    else:
        targets = [listener.on(outside, port) for port in UNLISTED[1:]]
        targets += [each for port in (UNLISTED[0], drawn) for each in everywhere(port)]
    with control("a pod that no policy selects gets to the same listeners"):
        for each in targets:
            SHUT.fails(reached(other, each))
    for each in targets:
        SHUT(reach(agent, each, within=1))


@claim("netpol-ingress-denied-nothing-listens")
@pytest.mark.parametrize("udp", [False, True], ids=["tcp", "udp"])
def test_nothing_gets_in(
    agent: Box, twin: Twins, neighbour: Callable[..., Twin], listener: Listeners, udp: bool
) -> None:
    other = neighbour(agent.namespace, {"role": "other"})
    sources = neighbour(agent.namespace), twin(), twin(labels=dict(agent.labels))
    with control("another pod of the namespace is reached from the same places"):
        for source in sources:
            SHUT.fails(reached(source, listener.on(other, udp=udp)))
    target = listener.on(agent.beside(), udp=udp)
    for source in sources:
        SHUT(reach(source, target, within=1))


SOCKETS = ("-ltnH", "-lunH")


def listening(output: str) -> list[str]:
    """Return the addresses beyond loopback in the output of ``ss -ltnH`` or ``ss -lunH``."""
    locals_ = (line.split()[3] for line in output.splitlines() if line.strip())
    return sorted(each for each in locals_ if not each.startswith(("127.", "[::1]")))


CLOSED = require("it listens nowhere beyond loopback", lambda found: found == [])
LISTEN = """
import socket, time
both = socket.create_server(("", 9000)), socket.socket(type=socket.SOCK_DGRAM)
both[1].bind(("", 9001))
time.sleep(3600)
"""


def sockets(run: Callable[[list[str]], Result], label: str) -> list[str]:
    """Return the addresses beyond loopback on which something listens where ``run`` runs; an observation."""
    told = [run(["ss", flags]) for flags in SOCKETS]
    if broken := [each.stderr for each in told if not each.ok]:
        raise EnvironmentFault(f"no look at the sockets of {label}: {broken[0][-200:]}")
    found = sorted({each for one in told for each in listening(one.stdout)})
    return observe("sockets beyond loopback", label, found)


def hear_another(twin: Twins, listener: Listeners) -> None:
    """Show that a pod is seen to listen."""
    other = twin(labels={"role": "listens"}, fresh=True)
    listener.on(other)
    listener.on(other, udp=True)
    with control("a pod that listens over TCP and UDP is seen to, twice"):
        assert len(CLOSED.fails(sockets(other.exec, other.label))) == 2


@claim("netpol-ingress-denied-nothing-listens")
def test_nothing_listens_beyond_loopback(make_box: MakeBox, twin: Twins, listener: Listeners) -> None:
    hear_another(twin, listener)
    box = make_box()  # of its own: other checks listen in the network of the shared one
    CLOSED(sockets(box.beside().exec, box.label))


@claim("netpol-ingress-denied-nothing-listens")
def test_the_pod_as_shipped_listens_nowhere(shipped_once: Box, twin: Twins, listener: Listeners) -> None:
    hear_another(twin, listener)
    CLOSED(sockets(shipped_once.beside().exec, shipped_once.label))


@claim("netpol-ingress-denied-nothing-listens")
@scope("image")
@pytest.mark.parametrize("mode", ["remote-control", "interactive", "headless", "api"])
def test_no_mode_listens_anywhere(modes: Modes, container: Containers, session: Session, mode: str) -> None:
    if mode == "api":
        box = api_session.serve(modes(mode, start=False))
        box.made.exec_run(api_session.words("say ok"), detach=True)
    else:
        box = modes(mode, tty=mode == "interactive")
    started(box)
    network = f"container:{box.made.id}"
    beside = container(image=session.probe_image, entrypoint=["sleep", "3600"], network_mode=network)
    CLOSED(sockets(beside.exec, f"the box in mode {mode}"))
    with control("what listens in the very same network is seen, over TCP and UDP"):
        beside.made.exec_run(["python3", "-c", LISTEN], detach=True)
        look = partial(sockets, beside.exec, f"the box in mode {mode}, and listeners")
        until(lambda: len(look()) == 2, timeout=30, what="both listeners are there")
        CLOSED.fails(look())


@claim("netpol-pod-stays-healthy-and-rollback")
def test_the_pod_is_well_under_the_policy_and_free_without_it(
    make_box: MakeBox,
    kube: Kube,
    twin: Twins,
    muted: Twin,
    outside: Outside,
    listener: Listeners,
    settled: Settled,
) -> None:
    box = settled(make_box(ready=False))
    target, policies = listener(on=outside), of_pod(box.objects, box.labels)
    probe = box.spec["containers"][0].get("readinessProbe") or {}
    period = 3 * probe.get("periodSeconds", 10)
    with control("under the policy an unlisted port is denied; while a pod starts it is not Ready"):
        OPEN.fails(reach(box, target, within=1))
        RESOLVES.fails(lookup(muted, CLUSTER_NAME, within=1))
        young = twin(labels={"role": "not-ready"}, spec=NEVER_READY, fresh=True, ready=False)
        STAYS_READY.fails(readiness(kube, young.namespace, young.name, young.label, 1), period)
    RESOLVES(beside(box, twin(), lambda each: lookup(each, CLUSTER_NAME), lambda found: found.ok, "a name"))
    box.wait_ready()
    STAYS_READY(readiness(kube, box.namespace, box.pod, box.label, period, box.is_up), period)
    kube.delete(policies)
    OPEN(becomes(box, target, {Reach.OPEN}))


NEVER_READY = {"readinessGates": [{"conditionType": "boxproof.dev/never"}]}


def readiness(
    kube: Kube, namespace: str, pod: str, label: str, seconds: float, up: Callable[[Object], bool] = is_ready
) -> str:
    """Return "ready" if a pod is up all the time and restarts nothing; an observation."""

    def restarts() -> int:
        found = kube.get("Pod", pod, namespace)["status"].get("containerStatuses") or []
        return sum(int(each["restartCount"]) for each in found)

    before = restarts()
    ready = holds(lambda: up(kube.get("Pod", pod, namespace)), seconds=seconds)
    ended = "ready" if ready and restarts() == before else "not ready"
    return observe("readiness", f"{label} for {seconds} s", ended)
