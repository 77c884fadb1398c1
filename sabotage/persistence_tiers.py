"""Sabotages of the tier for production, whose objects differ from those of the others."""

from __future__ import annotations

import copy
from typing import Any

from boxproof.deployment.sabotage_ways import Objects, find, manifest_sabotage
from sabotage.box_parts import agent_of


def _in_production(objects: Objects) -> dict[str, Any]:
    """Return the spec of the workload where the volume has a class of its own; elsewhere there is no such."""
    find(objects, "StorageClass")
    spec: dict[str, Any] = find(objects, "StatefulSet")["spec"]
    return spec


@manifest_sabotage("statefulset-stable-identity", "for production there are two of them")
def two_in_production(objects: Objects) -> None:
    _in_production(objects)["replicas"] = 2


@manifest_sabotage("pvc-survives-statefulset-deletion", "for production the claim goes with the StatefulSet")
def gone_in_production(objects: Objects) -> None:
    _in_production(objects)["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] = "Delete"


@manifest_sabotage("statefulset-stable-identity", "under load there may be three of them")
def scaled_by_load(objects: Objects) -> None:
    workload = find(objects, "StatefulSet")
    meta = {key: workload["metadata"][key] for key in ("name", "namespace")}
    target = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": meta["name"]}
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3}
    scaler = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"}
    objects.append(scaler | {"metadata": meta, "spec": spec})


@manifest_sabotage("statefulset-stable-identity", "for production the pods are counted from one")
def counted_from_one(objects: Objects) -> None:
    _in_production(objects)["ordinals"] = {"start": 1}


@manifest_sabotage("pv-reclaim-retain-and-class", "a volume beside the agent's is retained, its own is not")
def another_one_retained(objects: Objects) -> None:
    templates = _in_production(objects)["volumeClaimTemplates"]
    beside = copy.deepcopy(templates[0])
    beside["metadata"]["name"] = "aaa-work"
    del templates[0]["spec"]["storageClassName"]
    templates.insert(0, beside)
    mounts = agent_of(objects)["volumeMounts"]
    mounts.append({"name": "aaa-work", "mountPath": "/workspace/kept"})
