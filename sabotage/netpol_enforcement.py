"""Changes that leave the agent's policy without effect, or let it come late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from boxproof.core.session import Session
from boxproof.deployment.sabotage_ways import Objects, cluster_sabotage, find, manifest_sabotage
from boxproof.kube.client import Kube
from boxproof.kube.owed import Debt, in_node, noted
from boxproof.kube.pod_status import rolled_out
from sabotage.box_parts import agent_policy, pod_of


@manifest_sabotage("netpol-selects-the-pod", "the selector has a typing error")
def misspelt_selector(objects: Objects) -> None:
    agent_policy(objects)["podSelector"] = {"matchLabels": {"app": "claude-agnet"}}


@manifest_sabotage("netpol-selects-the-pod", "there is no policy")
def no_policy(objects: Objects) -> None:
    objects.remove(find(objects, "NetworkPolicy", "claude-agent"))


@manifest_sabotage("netpol-pod-stays-healthy-and-rollback", "everything is denied, nothing allowed")
def nothing_allowed(objects: Objects) -> None:
    agent_policy(objects)["egress"] = []


@cluster_sabotage("netpol-enforced-by-cni", "the pod network runs with its firewall off")
def firewall_off(session: Session, kube: Kube) -> Iterator[None]:
    path = kube.path("DaemonSet", "kube-router", "kube-system")
    before = kube.get("DaemonSet", "kube-router", "kube-system")["spec"]["template"]["spec"]["containers"][0]
    command = [each.replace("--run-firewall=true", "--run-firewall=false") for each in before["command"]]
    with _patched(
        session, kube, path, *(_with(before["name"], each) for each in (command, before["command"]))
    ):
        yield


def _with(name: str, command: list[str]) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": name, "command": command}]}}


@contextmanager
def _patched(
    session: Session, kube: Kube, path: str, template: dict[str, Any], before: dict[str, Any]
) -> Iterator[None]:
    """Have another template of the pod network's engine; that it is to be put back is noted first."""
    assert session.cluster is not None
    meta = kube.raw(path)["metadata"]
    back = {"metadata": {"uid": meta["uid"]}, "spec": {"template": before}}
    what = "the template of kube-router"
    with noted(Debt(what=what, cluster=session.cluster.name, path=path, body=back)):
        try:
            _patch(kube, path, {"spec": {"template": template}})
            yield
        finally:
            _patch(kube, path, back)


def _patch(kube: Kube, path: str, body: dict[str, Any]) -> None:
    kube.patch(path, body, "strategic-merge-patch+json")
    rolled_out(kube, "DaemonSet", "kube-router", "kube-system")


@cluster_sabotage("netpol-enforced-by-cni", "the engine is gone before the policy comes")
def engine_gone(session: Session, kube: Kube) -> Iterator[None]:
    path = kube.path("DaemonSet", "kube-router", "kube-system")
    nowhere, before = ({"spec": {"nodeSelector": {"boxproof.dev/nowhere": each}}} for each in ("true", None))
    with _patched(session, kube, path, nowhere, before):
        yield


@cluster_sabotage("netpol-enforced-by-cni", "packets between pods of one node pass the engine by")
def bridge_past_the_engine(session: Session, _kube: Kube) -> Iterator[None]:
    assert session.engine is not None and session.cluster is not None
    off, on = (["sysctl", "-w", f"net.bridge.bridge-nf-call-iptables={number}"] for number in (0, 1))
    with ExitStack() as changed:
        for node in session.cluster.nodes:
            what = f"iptables for bridges on {node}"
            changed.enter_context(in_node(session.engine, session.cluster.name, node, what, off, on))
        yield


@manifest_sabotage("netpol-effective-from-first-packet", "there is no gate")
def no_gate(objects: Objects) -> None:
    del pod_of(objects)["initContainers"]


@manifest_sabotage("netpol-effective-from-first-packet", "the gate does not look")
def blind_gate(objects: Objects) -> None:
    pod_of(objects)["initContainers"][0]["command"] = ["true"]


@manifest_sabotage(
    "netpol-effective-from-first-packet", "another container with the login comes before the gate"
)
def late_gate(objects: Objects) -> None:
    spec = pod_of(objects)
    agent = spec["containers"][0]
    early = {key: agent[key] for key in ("image", "env", "resources", "securityContext")}
    spec["initContainers"].insert(0, early | {"name": "early", "command": ["true"]})


@manifest_sabotage("netpol-effective-from-first-packet", "the gate is given the account's token")
def gate_with_a_token(objects: Objects) -> None:
    del pod_of(objects)["initContainers"][0]["volumeMounts"]


@manifest_sabotage("netpol-effective-from-first-packet", "the gate is given the volume that has the login")
def gate_with_the_volume(objects: Objects) -> None:
    mount = {"name": "home", "mountPath": "/home/claude/.claude"}
    pod_of(objects)["initContainers"][0]["volumeMounts"].append(mount)


@manifest_sabotage("netpol-effective-from-first-packet", "the gate gives up after half a minute")
def gate_that_gives_up(objects: Objects) -> None:
    gate = pod_of(objects)["initContainers"][0]
    gate["command"] = ["sh", "-c", 'timeout 30 "$@" || :', "gate", *gate["command"]]
