"""What the agent's packets may do, and what may reach the agent."""

from __future__ import annotations

import pytest

from boxproof.core.session import ClusterInfo
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Listeners, Twins
from boxproof.kube.client import Kube
from boxproof.kube.exec import exec_in
from boxproof.kube.network_policies import of_pod
from boxproof.kube.pod_status import is_ready
from boxproof.probes.network.enforcement import becomes, stays_denied
from boxproof.probes.network.name_resolution import lookup, resolved
from boxproof.probes.network.outside import Outside
from boxproof.probes.network.reach import DENIED, Reach, reach, reached
from boxproof.probes.pods.probe_pods import Twin
from pytest_claims import claim, control, observe
from pytest_claims.waiting import holds

CLUSTER_NAME = "kubernetes.default.svc.cluster.local"
EXTERNAL_NAME = "api.anthropic.com"
UNLISTED = (8080, 9090)


@claim("netpol-dns-works-udp-tcp")
@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("name", [CLUSTER_NAME, EXTERNAL_NAME])
def test_names_resolve(
    agent: Box, muted: Twin, twin: Twins, cluster: ClusterInfo, name: str, tcp: bool
) -> None:
    if cluster.context and name == EXTERNAL_NAME and not resolved(twin(), name, tcp).ok:
        pytest.skip(f"the DNS of {cluster.context} knows no name outside")
    with control("a pod that is denied everything gets no answer"):
        assert not lookup(muted, name, tcp, within=1.0).answered
    assert resolved(agent, name, tcp).ok


@claim("netpol-apiserver-reachable")
def test_the_api_server_is_reached(agent: Box, muted: Twin) -> None:
    with control("a pod that is denied everything does not get to the API server"):
        assert reach(muted, CLUSTER_NAME, 443) not in {Reach.OPEN}
    assert reached(agent, CLUSTER_NAME, 443) is Reach.OPEN
    answer = agent.wait_ready().tool("kubectl", "get", "--raw", "/readyz")
    assert (answer.code, answer.stdout.strip()) == (0, "ok")


@claim("netpol-other-ports-blocked")
@pytest.mark.parametrize("port", UNLISTED)
@pytest.mark.parametrize("where", ["outside", "inside"])
def test_other_ports_are_denied(
    agent: Box, twin: Twins, outside: Outside, listener: Listeners, where: str, port: int
) -> None:
    target = listener.on(outside if where == "outside" else twin(), port)
    with control("a pod that no policy selects gets to the same listener"):
        assert reached(twin(namespace=agent.namespace), target) is Reach.OPEN
    assert becomes(agent, target, DENIED) in DENIED
    assert stays_denied(agent, target)


@claim("netpol-ingress-denied-nothing-listens")
def test_nothing_gets_in(agent: Box, twin: Twins, listener: Listeners) -> None:
    source, other = twin(namespace=agent.namespace), twin(namespace=agent.namespace, labels={"role": "other"})
    with control("another pod of the namespace is reached in the same way"):
        assert reached(source, listener.on(other)) is Reach.OPEN
    target = listener.on(agent.beside())
    assert becomes(source, target, DENIED) in DENIED
    assert stays_denied(source, target)


@claim("netpol-ingress-denied-nothing-listens")
def test_nothing_listens_beyond_loopback(
    make_box: MakeBox, twin: Twins, listener: Listeners, kube: Kube
) -> None:
    other = twin(labels={"role": "listens"}, fresh=True)
    listener.on(other)
    with control("a pod that listens is seen to"):
        assert observe("listening", other.label, listening(other.exec(["ss", "-ltnH"]).stdout))
    box = make_box()  # of its own: other checks listen in the network of the shared one
    beside = box.beside()
    seen = exec_in(kube, box.namespace, box.pod, beside.name, ["ss", "-ltnH"], timeout=120).stdout
    assert observe("listening", box.label, listening(seen)) == []


def listening(output: str) -> list[str]:
    """Return the addresses beyond loopback in the output of ``ss -ltnH``."""
    locals_ = (line.split()[3] for line in output.splitlines() if line.strip())
    return sorted(each for each in locals_ if not each.startswith(("127.", "[::1]")))


@claim("netpol-pod-stays-healthy-and-rollback")
def test_the_pod_is_well_under_the_policy_and_free_without_it(
    make_box: MakeBox, kube: Kube, outside: Outside, listener: Listeners
) -> None:
    box = make_box(ready=False).wait_addressed()
    target, policies = listener(on=outside), of_pod(box.objects, box.labels)
    with control("under the policy an unlisted port is denied"):
        assert becomes(box, target, DENIED) in DENIED
    assert resolved(box, CLUSTER_NAME).ok
    restarts = box.wait_ready().status()["restartCount"]
    period = box.spec["containers"][0]["readinessProbe"].get("periodSeconds", 10)
    assert holds(lambda: is_ready(box.pod_object()), seconds=3 * period)
    assert box.status()["restartCount"] == restarts
    kube.delete(policies)
    assert becomes(box, target, {Reach.OPEN}) is Reach.OPEN
