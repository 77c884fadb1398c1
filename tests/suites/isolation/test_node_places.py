"""What objects take of nodes, and what has no bound, is told from what is as it should be."""

from __future__ import annotations

from typing import Any

import pytest

from suites.isolation.node_places import boundless, of_nodes

LIMITS = {"memory": "4Gi", "ephemeral-storage": "8Gi"}


def made(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "one"}, "spec": spec}


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("PersistentVolume", {"csi": {"driver": "x"}}, []),
        ("PersistentVolume", {"hostPath": {"path": "/data"}}, ["PersistentVolume/one: hostPath"]),
        ("PersistentVolume", {"local": {"path": "/data"}}, ["PersistentVolume/one: local"]),
        ("Service", {"clusterIP": "None"}, []),
        ("Service", {"type": "ClusterIP"}, []),
        ("Service", {"type": "NodePort"}, ["Service/one: NodePort"]),
        ("Service", {"type": "LoadBalancer"}, ["Service/one: LoadBalancer"]),
        ("Service", {"externalIPs": ["192.0.2.7"]}, ["Service/one: externalIPs"]),
        ("StorageClass", {}, []),
    ],
)
def test_what_is_taken_of_nodes_is_named(kind: str, spec: dict[str, Any], found: list[str]) -> None:
    assert list(of_nodes([made(kind, spec)])) == found


@pytest.mark.parametrize(
    ("limits", "size", "found"),
    [
        (LIMITS, "256Mi", []),
        (LIMITS | {"memory": "4000Gi"}, None, ["Pod/one/a: memory 4000Gi"]),
        (LIMITS, "64Ti", ["Pod/one: tmp of 64Ti"]),
        ({"ephemeral-storage": "8Gi"}, None, ["Pod/one/a: memory"]),
    ],
)
def test_what_has_no_bound_is_named(limits: dict[str, str], size: str | None, found: list[str]) -> None:
    volume = {"name": "tmp", "emptyDir": {"sizeLimit": size} if size else {}}
    spec = {"containers": [{"name": "a", "resources": {"limits": limits}}], "volumes": [volume]}
    assert list(boundless([made("Pod", spec)])) == found
