"""What a live cluster says about itself, and waiting until it is whole."""

from __future__ import annotations

import re

from boxproof.core.session import ClusterInfo, EngineInfo
from boxproof.host.engine.docker_cli import docker, inside, nodes_of
from boxproof.kube.client import Kube, Object
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import NotYet, until

NETWORKS = ("kube-router", "kindnet", "calico-node", "cilium", "kube-flannel-ds")
SYSTEM = ("/api/v1/namespaces/kube-system/pods", "/api/v1/namespaces/local-path-storage/pods")
SECONDS = len("2000-01-01T00:00:00")  # the part of two timestamps that can be compared


def wait_whole(engine: EngineInfo, name: str, kubeconfig: str, timeout: float) -> None:
    """Wait until all nodes and the cluster's own pods are Ready, since the nodes last started.

    Right after a restart the API still shows what was before it: only what started later counts.
    Raises DeadlineExceeded.
    """
    started = _started(engine, name)
    kube = Kube(kubeconfig)

    def look() -> bool:
        nodes = {each["metadata"]["name"]: each for each in kube.raw("/api/v1/nodes", timeout=5)["items"]}
        waiting = [each for each in started if each not in nodes or not _ready(nodes[each])]
        if waiting:
            raise NotYet(f"not Ready: {' '.join(waiting)}")
        pods = [each for path in SYSTEM for each in kube.raw(path, timeout=5)["items"]]
        waiting = [each["metadata"]["name"] for each in pods if not _runs(each, started)]
        if waiting or not pods:
            raise NotYet(f"not Ready: {' '.join(waiting) or 'no pods'}")
        return True

    until(look, timeout=timeout, what=f"the cluster {name} is whole", transient=(EnvironmentFault,))


def _started(engine: EngineInfo, name: str) -> dict[str, str]:
    """Return when each node was started, to the second."""
    words = ["inspect", "--format", "{{.Name}} {{.State.StartedAt}}", *nodes_of(engine, name)]
    lines = docker(engine, *words).stdout.splitlines()
    return {node.lstrip("/"): time[:SECONDS] for node, time in map(str.split, lines)}


def _runs(pod: Object, started: dict[str, str]) -> bool:
    """Return whether a pod is Ready and its containers are younger than its node's start."""
    since = started.get(pod["spec"].get("nodeName", ""), "")
    states = [each.get("state", {}) for each in pod.get("status", {}).get("containerStatuses") or []]
    times = [state["running"]["startedAt"][:SECONDS] for state in states if "running" in state]
    return _ready(pod) and len(times) == len(states) and all(time >= since for time in times)


def gather(engine: EngineInfo, name: str, kubeconfig: str, *, kind: str, kubectl: str) -> ClusterInfo:
    """Return what the live cluster ``name`` is; raises EnvironmentFault when it does not answer."""
    kube = Kube(kubeconfig)
    nodes = nodes_of(engine, name, running=True)
    if not nodes:
        raise EnvironmentFault(f"the cluster {name} has no running nodes")
    info = kube.raw("/api/v1/nodes")["items"][0]["status"]["nodeInfo"]
    script = "runc --version | head -n 1; stat -f -c %T /sys/fs/cgroup"
    runc, cgroup = inside(engine, nodes[0], ["sh", "-c", script]).stdout.splitlines()
    return ClusterInfo(
        name=name,
        kubeconfig=kubeconfig,
        nodes=nodes,
        kind=kind,
        kubernetes=str(info["kubeletVersion"]).removeprefix("v"),
        containerd=runtime_version(str(info["containerRuntimeVersion"])),
        runc=runc.removeprefix("runc version ").strip(),
        kernel=str(info["kernelVersion"]),
        cni=network(kube),
        cgroup="v2" if cgroup.strip() == "cgroup2fs" else "v1",
        apiserver=apiservers(kube)[0],
        kubectl=kubectl,
    )


def runtime_version(told: str) -> str:
    """Return a node's "containerd://v1.6.20~ds1" as "1.6.20": without what a packager or a build adds."""
    return re.sub(r"^containerd://v?|[+~].*$", "", told)


def _ready(item: Object) -> bool:
    conditions = item.get("status", {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def network(kube: Kube) -> str:
    """Return the name of the pod network's own DaemonSet."""
    sets = kube.raw("/apis/apps/v1/daemonsets")["items"]
    found = [each["metadata"]["name"] for each in sets]
    return next((each for each in NETWORKS if each in found), "unknown")


def apiservers(kube: Kube) -> list[str]:
    """Return the addresses behind the Service ``kubernetes``: what a policy sees of the API servers.

    Raises EnvironmentFault if there are none.
    """
    slices = kube.raw("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes")
    found = [address for each in slices.get("endpoints") or [] for address in each["addresses"]]
    if not found:
        raise EnvironmentFault("the Service kubernetes has no endpoints: no policy can name the API server")
    return [f"{each}:{slices['ports'][0]['port']}" for each in found]
