"""Who may write on a volume that begins as root's: a directory of a node, 0755, as a `local` volume."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from boxproof.core.labels import KIND_CLUSTER_LABEL as CLUSTER_LABEL
from boxproof.kube.client import Kube
from boxproof.kube.owed import Debt, noted
from boxproof.probes.pods import helper_pods
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import observations
from pytest_claims.waiting import until

MOUNT = "/volume"
WRITES = f"""
import errno, json, os
def tried(action):
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
one, two = "{MOUNT}/one", "{MOUNT}/two"
answer = {{"uid": os.getuid(), "create": tried(lambda: open(one, "w").write("1")),
          "rewrite": tried(lambda: open(one, "w").write("2")), "rename": tried(lambda: os.rename(one, two)),
          "delete": tried(lambda: os.unlink(two))}}
open("/dev/termination-log", "w").write(json.dumps(answer))
"""


@dataclass(frozen=True)
class Writes:
    """What became of four steps on a volume, each "done" or the name of the error, and by which uid."""

    uid: int
    create: str
    rewrite: str
    rename: str
    delete: str

    @property
    def all_done(self) -> bool:
        """Whether every step went through."""
        return {self.create, self.rewrite, self.rename, self.delete} == {"done"}


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


def writes_as(
    engine: Any, kube: Kube, spec: Mapping[str, Any], container: str, *, uid: int, image: str, namespace: str
) -> Writes:
    """Return what a pod with the security settings of ``spec`` and its ``container`` may do on root's volume.

    The pod is ours (``image`` has python3): only the settings are the subject's, and ``uid`` is its
    image's where they name none.
    """
    main = next(each for each in spec["containers"] if each["name"] == container)
    settings = {"runAsUser": uid} | dict(spec.get("securityContext") or {})
    with roots_volume(engine, kube, namespace) as claim:
        made = helper_pods.pod(
            claim, namespace, image, ["python3", "-c", WRITES],
            securityContext=main.get("securityContext", {}),
            volumeMounts=[{"name": "volume", "mountPath": MOUNT}],
        )  # fmt: skip
        made["spec"] |= {
            "securityContext": settings,
            "volumes": [{"name": "volume", "persistentVolumeClaim": {"claimName": claim}}],
        }
        with helper_pods.applied(kube, made):
            seen = Writes(**helper_pods.answer_of(kube, namespace, claim))
    observations.record("writes", json.dumps(settings, sort_keys=True), seen)
    return seen
