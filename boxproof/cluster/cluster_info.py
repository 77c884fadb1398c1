"""What a live cluster says about itself, ours or not: its parts, its logs; waiting until ours is whole."""

from __future__ import annotations

import hashlib
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from boxproof.cluster import contexts as kubeconfigs
from boxproof.cluster.contexts import Context
from boxproof.core.session import ClusterInfo, EngineInfo
from boxproof.core.settings import Settings, kubeconfig_files
from boxproof.host.engine.docker_cli import docker, inside, nodes_of
from boxproof.kube.client import ApiError, Kube, Object
from boxproof.kube.network_policies import of_nodes
from pytest_claims import progress
from pytest_claims.faults import BoxproofError, EnvironmentFault
from pytest_claims.recording import writing
from pytest_claims.waiting import NotYet, until

NETWORKS = ("kube-router", "kindnet", "calico-node", "cilium", "kube-flannel-ds")
SYSTEM = ("/api/v1/namespaces/kube-system/pods", "/api/v1/namespaces/local-path-storage/pods")
SECONDS = len("2000-01-01T00:00:00")  # the part of two timestamps that can be compared
ASK = 10.0  # seconds for an answer of a server that may be far away
REFUSED = (401, 403)
RIGHTS = (  # what a run does there: verb, group, resource, subresource
    ("create", "", "namespaces", ""),
    ("delete", "", "namespaces", ""),
    ("create", "rbac.authorization.k8s.io", "clusterroles", ""),
    ("create", "rbac.authorization.k8s.io", "clusterrolebindings", ""),
    ("create", "networking.k8s.io", "networkpolicies", ""),
    ("create", "", "pods", "exec"),
    ("patch", "", "pods", "ephemeralcontainers"),
    ("create", "", "services", "proxy"),
    ("create", "authorization.k8s.io", "subjectaccessreviews", ""),
)
EACH = 15.0  # seconds for one log
COMMANDS = {
    "journal.log": ["journalctl", "--no-pager", "--lines=4000"],
    "kubelet.log": ["journalctl", "--no-pager", "--lines=2000", "--unit=kubelet"],
    "containerd.log": ["journalctl", "--no-pager", "--lines=2000", "--unit=containerd"],
    "units.txt": ["systemctl", "--no-pager", "--all", "--failed"],
    "containers.txt": ["crictl", "ps", "--all"],
    "pods.log": ["sh", "-c", "tail -n 100 /var/log/pods/*/*/*.log"],
}


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
    items = kube.raw("/api/v1/nodes")["items"]
    info = items[0]["status"]["nodeInfo"]
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
        places=tuple(of_nodes(items)),
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


def external_context(settings: Settings) -> Context:
    """Return the context that was asked for; raises UsageError."""
    return kubeconfigs.chosen(kubeconfig_files(settings.kubeconfig), settings.context)


def check_external(settings: Settings) -> None:
    """See, making nothing, that the cluster answers and lets us do what a run does there.

    Raises UsageError for a context that does not exist, EnvironmentFault otherwise.
    """
    found = external_context(settings)
    kubeconfigs.demand_whole(found)
    with tempfile.TemporaryDirectory(prefix="boxproof-kubeconfig-") as below:
        kube = Kube(str(kubeconfigs.write(found, Path(below) / "kubeconfig", "default")))
        try:
            kube.raw("/version", timeout=ASK)
            lacking = [each for each in RIGHTS if not _may(kube, *each)]
        except BoxproofError as fault:
            raise _unanswered(found, fault) from fault
        finally:
            kube.close()
    if lacking:
        shown = ", ".join(f"{verb} {'/'.join(filter(None, rest[1:]))}" for verb, *rest in lacking)
        hint = "name a context of an administrator (ClusterRole cluster-admin)"
        raise EnvironmentFault(f"the user of the context {found.name!r} may not: {shown}", hint=hint)


def _unanswered(found: Context, fault: BoxproofError) -> EnvironmentFault:
    hint = f"try kubectl --context {found.name} get --raw /version"
    if isinstance(fault, ApiError) and fault.status in REFUSED:
        text = (
            f"the API server of the context {found.name!r} refuses its user: {fault.message.splitlines()[0]}"
        )
        return EnvironmentFault(text, hint=hint)
    why = " ".join(fault.message.split())[:200]
    text = f"the API server of the context {found.name!r}, {found.server}, does not answer: {why}"
    return EnvironmentFault(text, hint=hint)


def _may(kube: Kube, verb: str, group: str, resource: str, subresource: str) -> bool:
    asked = {"verb": verb, "group": group, "resource": resource, "subresource": subresource}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked},
    }
    answer = kube.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body, timeout=ASK)
    return bool(answer.get("status", {}).get("allowed"))


def external_name(found: Context) -> str:
    """Return what the cluster is called in files and locks of ours: by its server, whatever the context."""
    key = hashlib.sha256(found.server.encode()).hexdigest()[:8]
    stem = re.sub(r"[^a-z0-9]+", "-", found.server.lower().partition("://")[2])[:24].strip("-")
    return f"at-{stem}-{key}" if stem else f"at-{key}"


def gather_external(found: Context, kubeconfig: str, kubectl: str) -> ClusterInfo:
    """Return what the live cluster is, as far as its API tells; raises EnvironmentFault."""
    kube = Kube(kubeconfig)
    nodes = kube.list("Node")
    if not nodes:
        raise EnvironmentFault(f"the cluster of the context {found.name!r} has no nodes")
    info = nodes[0]["status"]["nodeInfo"]
    runtime = str(info["containerRuntimeVersion"])
    first, *others = apiservers(kube)
    return ClusterInfo(
        name=external_name(found),
        kubeconfig=kubeconfig,
        nodes=tuple(sorted(str(each["metadata"]["name"]) for each in nodes)),
        kind="",
        kubernetes=str(kube.raw("/version")["gitVersion"]).removeprefix("v"),
        containerd=runtime_version(runtime) if runtime.startswith("containerd://") else "",
        kernel=str(info["kernelVersion"]),
        cni=network(kube),
        apiserver=first,
        kubectl=kubectl,
        context=found.name,
        service=f"{kube.get('Service', 'kubernetes', 'default')['spec']['clusterIP']}:443",
        endpoints=tuple(others),
        places=tuple(of_nodes(nodes)),
    )


def collect_logs(engine: EngineInfo, cluster: str, directory: Path) -> Path:
    """Write what the nodes of ``cluster`` say to ``directory`` and return it; silence is noted too."""
    directory.mkdir(parents=True, exist_ok=True)
    for node in nodes_of(engine, cluster):
        target = directory / node
        target.mkdir(exist_ok=True)
        _keep(target / "console.log", engine, ["logs", "--timestamps", node])
        _keep(target / "inspect.json", engine, ["inspect", node])
        for name, argv in COMMANDS.items():
            try:
                result = inside(engine, node, argv, timeout=EACH, check=False)
                writing.write_text(target / name, result.stdout + result.stderr)
            except EnvironmentFault as fault:
                writing.write_text(target / name, f"{fault}\n")
                break  # a node that does not answer once will not answer the rest
    return directory


def _keep(path: Path, engine: EngineInfo, words: list[str]) -> None:
    try:
        result = docker(engine, *words, timeout=EACH, check=False)
        writing.write_text(path, result.stdout + result.stderr)
    except EnvironmentFault as fault:
        writing.write_text(path, f"{fault}\n")


BEGUN, ENDED = "•", "✓"
# a mark, a name in ASCII, perhaps an image in brackets, emojis: " • Preparing nodes 📦 📦  ..."
LINE = re.compile(rf"\s*([{BEGUN}{ENDED}])\s+([\w -]+\w)")


def timed_steps(report: Callable[[str], None]) -> Callable[[str], None]:
    """Return what passes kind's lines on to ``report`` and adds each of its steps to the timings."""
    begun: dict[str, float] = {}

    def line(text: str) -> None:
        report(text)
        found = LINE.match(text)
        if found is None:
            return
        mark, name = found.groups()
        if mark == BEGUN:
            begun.setdefault(name, time.monotonic())
        elif name in begun:
            progress.took(f"kind: {name}", time.monotonic() - begun.pop(name))

    return line
