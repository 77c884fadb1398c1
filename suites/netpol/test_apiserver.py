"""The API server: by its address, without names, and no other address on its port."""

from __future__ import annotations

import copy
from collections.abc import Callable

from boxproof.agent import mcp
from boxproof.agent.agent_tools import kubectl
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Listeners, Twins
from boxproof.kube.client import Kube, Object
from boxproof.kube.network_policies import of_pod
from boxproof.probes.connectivity import opens
from boxproof.probes.pods.probe_pods import Twin
from boxproof.probes.reach import DENIED, Listener, Reach, lookup, reach, reached, resolved
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from pytest_claims.faults import EnvironmentFault
from suites.netpol.conftest import Settled
from suites.netpol.meant import api_servers

NAME = "kubernetes.default.svc.cluster.local"
PORT = 6443
DNS = 53
CONFIG = "/tmp/by-address"
OWN_CONFIG = ["sh", "-c", f"command -v pod-kubeconfig >/dev/null && pod-kubeconfig >{CONFIG}"]
NOWHERE = ("--server=https://kubernetes.default.svc:443", "--request-timeout=5s")

ANSWERED = require("the API server answers, although no name resolves", lambda ended: ended == "ok")
SHUT = require("the port is shut there", lambda answer: answer in DENIED)
OPEN = require("the API server itself is reached", lambda answer: answer is Reach.OPEN)


@claim("netpol-apiserver-by-ip-without-dns")
def test_the_api_server_answers_while_no_name_does(
    make_box: MakeBox, kube: Kube, subject: Subject, twin: Twins, settled: Settled
) -> None:
    box = make_box()
    assert resolved(box, NAME).answered, "before, no name resolves"
    kube.apply([without_port(each, DNS) for each in of_pod(box.objects, box.labels)])
    settled(box)
    silence(box, twin())

    def asked(how: str, *words: str, env: dict[str, str] | None = None) -> str:
        told = kubectl(box, *words, "get", "--raw", "/version", env=env)
        return observe("asked for the version", how, "ok" if told.ok else "no answer")

    with control("asked by its name it does not answer"):
        ANSWERED.fails(asked("by name", *NOWHERE))
    ANSWERED(asked("as the pod is set up"))
    if box.exec(OWN_CONFIG).ok:
        ANSWERED(asked("with the pod's own kubeconfig", env={"KUBECONFIG": CONFIG}))
    if subject.mcp.config:
        argv = mcp.command(box, subject.mcp.config, subject.mcp.server)
        answer = mcp.called(box, argv, "pods_list_in_namespace", namespace=box.namespace)
        ANSWERED(observe("asked for the version", "by the MCP server", answer.outcome))
    silence(box, twin())


def silence(box: Box, other: Twin) -> None:
    """Show that no resolver answers a box, just when it answers another pod; raises EnvironmentFault."""
    if lookup(box, NAME, within=2).answered or not resolved(other, NAME).answered:
        raise EnvironmentFault("names resolved meanwhile", hint="the pod network must enforce policies")


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
    agent: Box,
    twin: Twins,
    muted: Twin,
    everywhere: Callable[..., list[Listener]],
    listener: Listeners,
    kube: Kube,
) -> None:
    other, targets = twin(), [*everywhere(PORT), listener.on(twin(), PORT)]
    host, port = str(api_servers(kube).networks[0].network_address), api_servers(kube).ports[-1]
    with control(
        "a pod that no policy selects gets to the same port elsewhere, one that is denied all to none"
    ):
        for each in targets:
            SHUT.fails(reached(other, each))
        OPEN.fails(reach(muted, host, port, within=1))
    for each in targets:
        SHUT(reach(agent, each, within=1))
    OPEN(opens(agent, other, host, port))
