"""What dead runs left inside the cluster: the engine's sweep does not see there."""

from __future__ import annotations

from boxproof import log
from boxproof.host import ownership
from boxproof.kube.client import Kube, Object
from boxproof.probes.pods import RUN_LABEL
from boxproof.settings import Settings

KINDS = (  # what an instance has beside its namespace, dependants first
    "ClusterRoleBinding", "ClusterRole", "PersistentVolume", "PriorityClass", "StorageClass", "Namespace",
)  # fmt: skip


def sweep(settings: Settings, kube: Kube, run: str) -> list[str]:
    """Delete objects of runs that are dead and not kept, without waiting; returns them as "Kind name".

    The caller holds the cluster, so no other run is at work in it. Raises EnvironmentFault.
    """
    spared = {run} | {each.run for each in ownership.runs(settings) if each.kept or each.alive}
    return _delete(kube, [each for each in _labelled(kube) if _run(each) not in spared])


def of_run(kube: Kube, run: str) -> list[str]:
    """Delete every object of ``run``, its sabotages included, without waiting; raises EnvironmentFault."""
    return _delete(kube, [each for each in _labelled(kube) if _run(each) == run])


def _labelled(kube: Kube) -> list[Object]:
    return [each for kind in KINDS for each in kube.list(kind, selector=RUN_LABEL)]


def _delete(kube: Kube, found: list[Object]) -> list[str]:
    if found:
        with log.step(f"removing {len(found)} objects from the cluster"):
            kube.delete(found)
    return [f"{each['kind']} {each['metadata']['name']}" for each in found]


def _run(item: Object) -> str:
    return str(item["metadata"]["labels"][RUN_LABEL])
