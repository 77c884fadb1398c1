"""Sabotages of the tier for production, whose objects differ from those of the others."""

from __future__ import annotations

from typing import Any

from boxproof.deployment.sabotage_ways import Objects, find, manifest_sabotage


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
