"""What a live cluster says about itself, and waiting until it is whole."""

from __future__ import annotations

import re

from boxproof.cluster.docker import inside, nodes_of
from boxproof.errors import EnvironmentFault
from boxproof.kube.client import Kube, Object
from boxproof.session import ClusterInfo, EngineInfo
from boxproof.wait import NotYet, until

NETWORKS = ("kube-router", "kindnet", "calico-node", "cilium", "kube-flannel-ds")
SYSTEM = frozenset({"kube-system", "local-path-storage"})


def wait_ready(kubeconfig: str, count: int, timeout: float) -> None:
    """Wait until the API server answers and ``count`` nodes are Ready; raises DeadlineExceeded."""
    kube = Kube(kubeconfig)

    def look() -> bool:
        nodes = kube.raw("/api/v1/nodes", timeout=5)["items"]
        waiting = [each["metadata"]["name"] for each in nodes if not _ready(each)]
        if len(nodes) < count or waiting:
            raise NotYet(f"{len(nodes)} of {count} nodes, not Ready: {' '.join(waiting) or 'none'}")
        return True

    until(look, timeout=timeout, what=f"{count} nodes Ready", transient=(EnvironmentFault,))


def wait_system(kubeconfig: str, timeout: float) -> None:
    """Wait until the cluster's own pods are Ready: DNS, network, storage; raises DeadlineExceeded."""
    kube = Kube(kubeconfig)

    def look() -> bool:
        pods = kube.raw("/api/v1/pods", timeout=5)["items"]
        system = [each for each in pods if each["metadata"]["namespace"] in SYSTEM]
        waiting = [each["metadata"]["name"] for each in system if not _ready(each)]
        if waiting or not system:
            raise NotYet(f"not Ready: {' '.join(waiting) or 'no pods'}")
        return True

    until(look, timeout=timeout, what="the cluster's own pods Ready", transient=(EnvironmentFault,))


def gather(engine: EngineInfo, name: str, kubeconfig: str, *, kind: str, kubectl: str) -> ClusterInfo:
    """Return what the live cluster ``name`` is; raises EnvironmentFault when it does not answer."""
    kube = Kube(kubeconfig)
    nodes = nodes_of(engine, name, running=True)
    if not nodes:
        raise EnvironmentFault(f"the cluster {name} has no running nodes")
    info = kube.raw("/api/v1/nodes")["items"][0]["status"]["nodeInfo"]
    script = "runc --version | head -n 1; stat -f -c %T /sys/fs/cgroup"
    runc, cgroup = inside(engine, nodes[0], ["sh", "-c", script]).stdout.splitlines()
    runtime = str(info["containerRuntimeVersion"])
    return ClusterInfo(
        name=name,
        kubeconfig=kubeconfig,
        nodes=nodes,
        kind=kind,
        kubernetes=str(info["kubeletVersion"]).removeprefix("v"),
        containerd=re.sub(r"^containerd://v?|\+unknown$", "", runtime),
        runc=runc.removeprefix("runc version ").strip(),
        kernel=str(info["kernelVersion"]),
        cni=_network(kube),
        cgroup="v2" if cgroup.strip() == "cgroup2fs" else "v1",
        apiserver=_apiserver(kube),
        kubectl=kubectl,
    )


def _ready(item: Object) -> bool:
    conditions = item.get("status", {}).get("conditions") or []
    if item.get("status", {}).get("phase") == "Succeeded":
        return True
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _network(kube: Kube) -> str:
    """Return the name of the pod network's own DaemonSet."""
    sets = kube.raw("/apis/apps/v1/daemonsets")["items"]
    found = [each["metadata"]["name"] for each in sets]
    return next((each for each in NETWORKS if each in found), "unknown")


def _apiserver(kube: Kube) -> str:
    """Return the address behind the Service ``kubernetes``: what a policy sees of the API server."""
    slices = kube.raw("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes")
    return f"{slices['endpoints'][0]['addresses'][0]}:{slices['ports'][0]['port']}"
