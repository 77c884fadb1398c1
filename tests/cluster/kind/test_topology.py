"""The topology of a cluster: both of kubeadm's APIs are told the same flags."""

from __future__ import annotations

from typing import Any

import yaml

from boxproof.cluster.kind import kind_clusters

PARTS = ("apiServer", "controllerManager", "scheduler")


def flags(patch: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return the flags of each part of the control plane, in whichever form the API has them."""
    parts = {each: patch[each] for each in PARTS} | {"etcd": patch["etcd"]["local"]}
    given = {each: part["extraArgs"] for each, part in parts.items()}
    return {
        each: {one["name"]: one["value"] for one in args} if isinstance(args, list) else args
        for each, args in given.items()
    }


def test_both_apis_of_kubeadm_are_told_the_same_flags() -> None:
    topology = yaml.safe_load(kind_clusters.TOPOLOGY.read_text())
    older, newer = (flags(yaml.safe_load(each)) for each in topology["kubeadmConfigPatches"])
    assert older == newer
    assert newer["etcd"] == {"unsafe-no-fsync": "true"}
    assert newer["scheduler"] == newer["controllerManager"] == {"leader-elect": "false"}
