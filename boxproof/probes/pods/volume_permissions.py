"""Who may write on a volume that begins as root's: a directory of a node, 0755, as a `local` volume."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from boxproof.core.labels import KIND_CLUSTER_LABEL as CLUSTER_LABEL
from boxproof.kube.client import Kube
from boxproof.kube.owed import Debt, noted
from boxproof.probes.pods import helper_pods
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import until


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
