"""Volumes from outside the agent: read by a pod of ours, and owned by root at first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from boxproof.core.session import KIND_CLUSTER_LABEL as CLUSTER_LABEL
from boxproof.kube.client import Kube, NotFound
from boxproof.kube.owed import Debt, noted
from boxproof.probes.pods import helper_pods, probe_pods
from boxproof.probes.pods.probe_pods import CONTAINER, Twin
from boxproof.subject.manifests.pod_specs import pod_spec
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import observations
from pytest_claims.waiting import until

BOUND = 120.0  # seconds until the box's pod has its claims

SCRIPT = """
import hashlib, json, os, shutil, stat, sys
def below(top):
    for place, directories, files in os.walk(top):
        for name in files + [each for each in directories if os.path.islink(os.path.join(place, each))]:
            yield os.path.join(place, name)
def read(path):
    try:
        return open(path, "rb").read() if os.path.isfile(path) else b""
    except OSError:
        return b""
def tree(top):
    return {os.path.relpath(each, top): hashlib.sha256(read(each)).hexdigest()[:12] for each in below(top)}
def names(top):
    return sorted(os.listdir(top))
def text(path):
    return read(path).decode(errors="replace") if os.path.lexists(path) else None
def holding(top, words):
    return sorted(each for each in below(top) if any(word.encode() in read(each) for word in words))
def owners(top):
    inside = [os.path.join(place, name) for place, some, more in os.walk(top) for name in some + more]
    return sorted({os.lstat(each).st_uid for each in inside})
def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(content)
def remove(path):
    os.unlink(path)
def empty(top):
    for each in os.scandir(top):
        shutil.rmtree(each.path) if each.is_dir(follow_symlinks=False) else os.unlink(each.path)
what, words = sys.argv[1], json.loads(sys.argv[2])
print(json.dumps(globals()[what](*words)))
"""


@dataclass(frozen=True)
class Visitor:
    """The pod, with the volumes where a container of the box has them; everything raises EnvironmentFault."""

    twin: Twin

    def _ask(self, what: str, *words: object) -> Any:
        ended = self.twin.exec(["python3", "-c", SCRIPT, what, json.dumps(words)])
        if not ended.ok:
            said = ended.stderr.strip().splitlines()[-1:]
            raise EnvironmentFault(f"no {what} of {words[0]} in {self.twin.label}: {said}")
        return json.loads(ended.stdout)

    def tree(self, top: str) -> dict[str, str]:
        """Return the files below a directory, each with a digest of its content; an observation."""
        found: dict[str, str] = self._ask("tree", top)
        observations.record("files", top, found)
        return found

    def names(self, top: str) -> list[str]:
        """Return what a directory holds; an observation."""
        found: list[str] = self._ask("names", top)
        observations.record("names", top, found)
        return found

    def text(self, path: str) -> str | None:
        """Return the text of a file, None where there is none; an observation."""
        found: str | None = self._ask("text", path)
        observations.record("file", path, found)
        return found

    def holding(self, top: str, *words: str) -> list[str]:
        """Return the files below a directory that hold one of ``words``; an observation."""
        found: list[str] = self._ask("holding", top, words)
        observations.record("files that hold it", top, found)
        return found

    def owners(self, top: str) -> list[int]:
        """Return the uids that own something below a directory; an observation."""
        found: list[int] = self._ask("owners", top)
        observations.record("owners", top, found)
        return found

    def write(self, path: str, content: str) -> None:
        """Write a file, and the directories above it."""
        self._ask("write", path, content)

    def remove(self, path: str) -> None:
        """Remove a file."""
        self._ask("remove", path)

    def empty(self, top: str) -> None:
        """Remove everything in a directory."""
        self._ask("empty", top)


def claims(workload: Mapping[str, Any], container: str) -> dict[str, str]:
    """Return where a container of a workload's pod has claims mounted: path -> the claim's name."""
    spec = pod_spec(workload) or {}
    every = [*(spec.get("initContainers") or ()), *spec["containers"]]
    mounts = next(each for each in every if each["name"] == container).get("volumeMounts") or ()
    known = {
        each["name"]: each["persistentVolumeClaim"]["claimName"]
        for each in spec.get("volumes") or ()
        if "persistentVolumeClaim" in each
    }
    for each in workload["spec"].get("volumeClaimTemplates") or ():
        name = each["metadata"]["name"]
        known[name] = f"{name}-{workload['metadata']['name']}-0"
    return {each["mountPath"]: known[each["name"]] for each in mounts if each["name"] in known}


def visit(
    kube: Kube, workload: Mapping[str, Any], container: str, *, image: str, uid: int, node: str = ""
) -> Visitor:
    """Return a Ready pod as ``uid`` with the claims a container of ``workload`` has, in its namespace.

    It goes with the namespace. Raises EnvironmentFault if it does not come.
    """
    namespace = workload["metadata"]["namespace"]
    pod = probe_pods.manifest(
        helper_pods.unique("visitor"), namespace, image, security={"runAsUser": uid}, node=node
    )
    mounted = claims(workload, container)
    pod["spec"]["volumes"] = [
        {"name": f"volume-{number}", "persistentVolumeClaim": {"claimName": claim}}
        for number, claim in enumerate(mounted.values())
    ]
    main = next(each for each in pod["spec"]["containers"] if each["name"] == CONTAINER)
    main["volumeMounts"] = [
        {"name": f"volume-{number}", "mountPath": path} for number, path in enumerate(mounted)
    ]
    for claim in mounted.values():  # a pod that comes before its claim is taken for one that never can
        until(
            lambda: kube.get("PersistentVolumeClaim", claim, namespace)["status"]["phase"] == "Bound",  # noqa: B023
            timeout=BOUND, what=f"claim {claim} is bound", transient=(NotFound,),
        )  # fmt: skip
    return Visitor(probe_pods.start(kube, pod))


@contextmanager
def roots_volume(engine: Any, kube: Kube, namespace: str, name: str = "") -> Iterator[str]:
    """Give the name of a claim for a new root:root 0755 directory on a node; both are removed after.

    ``name`` is what the claim is to be called. A node's local-path directories are 0777, where any uid may
    write whatever the pod says.
    """
    name, node = name or helper_pods.unique("boxproof-roots"), helper_pods.worker(kube)
    directory = f"/var/local/{name}"
    host = engine.containers.get(node)
    cluster, back = str(host.labels.get(CLUSTER_LABEL, "")), ("rm", "-rf", directory)
    debt = Debt(what=f"{directory} on {node}", cluster=cluster, node=node, argv=back)
    with noted(debt), _made(host, directory), _bound(kube, namespace, name, directory, node):
        yield name


@contextmanager
def _made(host: Any, directory: str) -> Iterator[None]:
    for argv in (["mkdir", "-p", directory], ["chmod", "0755", directory], ["chown", "0:0", directory]):
        if host.exec_run(argv).exit_code:
            raise EnvironmentFault(f"cannot make {directory} on {host.name}")
    try:
        yield
    finally:
        host.exec_run(["rm", "-rf", directory])


@contextmanager
def _bound(kube: Kube, namespace: str, name: str, directory: str, node: str) -> Iterator[None]:
    volume, claim = _storage(name, namespace, directory, node)
    owner = kube.get("Namespace", namespace)["metadata"]["uid"]  # so that it cannot outlive the run
    volume["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "Namespace", "name": namespace, "uid": owner}
    ]
    with helper_pods.applied(kube, claim):
        # a volume that names its claim by uid is bound at once; any other way its controller takes 15 s
        uid = kube.get("PersistentVolumeClaim", name, namespace)["metadata"]["uid"]
        volume["spec"]["claimRef"]["uid"] = uid
        with helper_pods.applied(kube, volume):
            until(
                lambda: kube.get("PersistentVolumeClaim", name, namespace)["status"]["phase"] == "Bound",
                timeout=30,
                what=f"claim {name} is bound",
            )
            yield


def _storage(name: str, namespace: str, directory: str, node: str) -> tuple[dict[str, Any], dict[str, Any]]:
    size = {"storage": "1Mi"}
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": dict(helper_pods.LABELS)},
        "spec": {
            "capacity": size,
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "local": {"path": directory},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
            "claimRef": {"name": name, "namespace": namespace},
        },
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(helper_pods.LABELS)},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "",
            "resources": {"requests": size},
        },
    }
    return volume, claim
