"""The API server: by its address, without names, and no other address on its port."""

from __future__ import annotations

import copy

from boxproof.agent import mcp
from boxproof.agent.kubectl import kubectl
from boxproof.core.session import ClusterInfo
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Listeners, Twins
from boxproof.kube.client import Kube, Object
from boxproof.kube.network_policies import of_pod
from boxproof.probes.network.enforcement import TAKES_HOLD, becomes, stays_denied
from boxproof.probes.network.name_resolution import lookup, resolved
from boxproof.probes.network.outside import Outside
from boxproof.probes.network.reach import DENIED, Reach, reached
from boxproof.probes.pods.probe_pods import Twin
from boxproof.subject.model import Subject
from pytest_claims import claim, control
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import until

NAME = "kubernetes.default.svc.cluster.local"
PORT = 6443
DNS = 53
CONFIG = "/tmp/by-address"
OWN_CONFIG = ["sh", "-c", f"command -v pod-kubeconfig >/dev/null && pod-kubeconfig >{CONFIG}"]


@claim("netpol-apiserver-by-ip-without-dns")
def test_the_api_server_answers_while_no_name_does(
    make_box: MakeBox, kube: Kube, subject: Subject, twin: Twins
) -> None:
    box = make_box()
    with control("before, names resolve"):
        assert resolved(box, NAME).answered
    kube.apply([without_port(each, DNS) for each in of_pod(box.objects, box.labels)])
    until(lambda: silent(box, twin()), timeout=TAKES_HOLD, what="no name resolves")
    assert kubectl(box, "get", "--raw", "/version").ok
    if box.exec(OWN_CONFIG).ok:
        assert kubectl(box, "get", "--raw", "/version", env={"KUBECONFIG": CONFIG}).ok
    if subject.mcp.config:
        argv = mcp.command(box, subject.mcp.config, subject.mcp.server)
        with mcp.server(box, argv) as server:
            answer = server.call("pods_list_in_namespace", namespace=box.namespace)
            assert answer.outcome == "ok", answer.text
    if not silent(box, twin()):
        raise EnvironmentFault("names resolved meanwhile", hint="the pod network must enforce policies")


def silent(box: Box, other: Twin) -> bool:
    """Return whether no resolver answers a box, just when it answers another pod: it is not merely late."""
    return not lookup(box, NAME, within=2).answered and resolved(other, NAME).answered


def without_port(policy: Object, port: int) -> Object:
    """Return a policy that no longer allows a port out."""
    made = copy.deepcopy(policy)
    rules = made["spec"].get("egress") or []
    made["spec"]["egress"] = [
        each for each in rules if port not in [one.get("port") for one in each.get("ports") or []]
    ]
    return made


@claim("netpol-6443-not-world")
def test_the_port_is_open_to_the_api_server_alone(
    agent: Box, twin: Twins, outside: Outside, listener: Listeners, cluster: ClusterInfo
) -> None:
    target = listener.on(outside, PORT)
    with control("a pod that no policy selects gets to the same port elsewhere"):
        assert reached(twin(namespace=agent.namespace), target) is Reach.OPEN
    assert becomes(agent, target, DENIED) in DENIED
    assert stays_denied(agent, target)
    host, _, port = cluster.apiserver.rpartition(":")
    assert reached(agent, host, int(port)) is Reach.OPEN
