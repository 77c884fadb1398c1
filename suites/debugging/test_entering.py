"""The helpers lead into the container that was meant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from boxproof.agent.agent_tools import Exec
from boxproof.core.process import Result as ExecResult
from boxproof.core.session import Session
from boxproof.deployment.box import Box, workload_of
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.kube.exec import exec_in
from boxproof.probes.pods.probe_pods import CONFINED
from pytest_claims import claim, control, observe, require

Script = Callable[..., ExecResult]
SIDECAR = "beside"
MEANT = require("it is in the container that was meant", lambda found: found[0] == found[1])
MOUNTS, NETWORK = "/proc/self/ns/mnt", "/proc/self/ns/net"
# of a container, beside its files
OTHERS = {kind: f"/proc/self/ns/{kind}" for kind in ("net", "pid", "ipc", "uts")}


def read(label: str, run: Callable[..., ExecResult], *words: str) -> str:
    """Return what a link names, by ``run``; an observation."""
    done = run(["readlink", *words])
    return observe("namespace", label, done.stdout.strip() if done.ok else done.stderr.strip()[-200:])


def pauses(node: Exec, box: Box, kind: str) -> str:
    """Return a namespace of the first process of the pod's sandbox."""
    sandbox = node(["crictl", "pods", "--quiet", "--label", f"io.kubernetes.pod.uid={uid(box)}"])
    template = "{{.info.pid}}"
    words = ["crictl", "inspectp", "--output", "go-template", "--template", template, sandbox.stdout.strip()]
    pid = node(words).stdout.strip()
    return read(f"pause's {kind}", node, f"/proc/{pid}/ns/{kind}")


def uid(box: Box) -> str:
    """Return the uid of the box's pod."""
    return str(box.pod_object()["metadata"]["uid"])


@claim("dbg-nsenter-right-target")
def test_the_script_enters_the_container_that_was_meant(
    make_box: MakeBox, node: Callable[[], Exec], script: Script, box: Box, session: Session
) -> None:
    def with_sidecar(objects: list[dict[str, Any]]) -> None:
        spec = workload_of(objects)["spec"]["template"]["spec"]
        beside: dict[str, Any] = {
            "name": SIDECAR,
            "image": session.probe_image,
            "imagePullPolicy": "Never",
        }
        beside |= {"command": ["/usr/local/bin/probe", "idle"], "securityContext": dict(CONFINED)}
        spec["containers"].append(beside)
        spec["nodeSelector"] = {"kubernetes.io/hostname": box.node}  # the scheduler has to see its volume

    two = make_box(edit=with_sidecar)
    place = f"{two.namespace}/{two.pod}"

    def entered(container: str, link: str) -> str:
        return read(f"entered {container}", lambda argv: script("enter.sh", place, container, *argv), link)

    def both(label: str, found: str, wanted: str) -> tuple[str, str]:
        return observe("namespace, and that of the container meant", label, (found, wanted))

    own = read("the agent's own", two.exec, MOUNTS)
    beside = read("the sidecar's own", two_exec(two, SIDECAR), MOUNTS)
    with control("pause has another mount namespace, and the same network: the latter shows nothing"):
        MEANT.fails(both("pause", pauses(node(), two, "mnt"), own))
        assert pauses(node(), two, "net") == read("the agent's network", two.exec, NETWORK)
        owned = {kind: read(f"the agent's own {kind}", two.exec, link) for kind, link in OTHERS.items()}
        for kind, link in OTHERS.items():  # who has the files alone is among those of where it came from
            MEANT.fails(both(f"not entered: {kind}", read(f"the node's {kind}", node(), link), owned[kind]))
    for kind, link in OTHERS.items():
        MEANT(both(f"{two.container}: {kind}", entered(two.container, link), owned[kind]))
    MEANT(both(two.container, entered(two.container, MOUNTS), own))
    MEANT(both(SIDECAR, entered(SIDECAR, MOUNTS), beside))
    comm = script("enter.sh", place, two.container, "cat", "/proc/1/comm").stdout.strip()
    MEANT(both("first process", comm, two.exec(["cat", "/proc/1/comm"]).stdout.strip()))


def two_exec(box: Box, container: str) -> Callable[..., ExecResult]:
    """Return what runs a command in another container of the pod."""
    return lambda argv: exec_in(box.kube, box.namespace, box.pod, container, argv, timeout=60)
