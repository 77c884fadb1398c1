"""What dead runs left inside the cluster: the engine's sweep does not see there."""

from __future__ import annotations

from contextlib import suppress

from boxproof.core.labels import RUN_LABEL
from boxproof.core.session import ClusterInfo
from boxproof.core.settings import Settings
from boxproof.kube.client import Kube, NotFound, Object
from boxproof.probes.pods import volumes
from boxproof.runs import ownership
from pytest_claims import progress
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.waiting import NotYet, until

KINDS = (  # what an instance has beside its namespace, dependants first
    "ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy", "ClusterRoleBinding", "ClusterRole",
    "PersistentVolume", "PriorityClass", "StorageClass", "Namespace",
)  # fmt: skip
OURS = "boxproof.dev/"  # how finalizers of the harness begin
REFERENCE = "boxproof.dev/role=reference"  # a pod that shows a node to work
GONE = 120.0  # seconds for namespaces to empty


def sweep(settings: Settings, kube: Kube, run: str) -> list[str]:
    """Delete objects of runs that are dead and not kept, without waiting; returns them as "Kind name".

    The caller holds the cluster, so no other run is at work in it. Raises EnvironmentFault.
    """
    spared = {run} | {each.run for each in ownership.runs(settings) if each.kept or each.alive}
    lone = kube.list("Pod", selector=REFERENCE)  # in a namespace that is nobody's
    return _delete(kube, [*lone, *(each for each in _labelled(kube) if _run(each) not in spared)])


def left_behind(settings: Settings, kube: Kube, cluster: str, run: str) -> list[str]:
    """Delete what dead runs of this machine left in a cluster that is not ours; returns it as "Kind name".

    Others may be at work there, from other machines: only runs known to be dead are swept. Raises
    EnvironmentFault.
    """
    spared = {run} | {each.run for each in ownership.runs(settings) if each.kept or each.alive}
    dead = set(ownership.entered(settings, cluster)) - spared
    found = _delete(kube, [each for each in _labelled(kube) if _run(each) in dead]) if dead else []
    for each in dead:
        ownership.leave(settings, cluster, each)
    return found


def leave(settings: Settings, kube: Kube, cluster: ClusterInfo, run: str, *, wait: bool) -> None:
    """See that nothing of ``run`` is left in a cluster that is not ours, or say what is on its way."""
    if wait:
        try:
            what = f"all of the run is gone from {cluster.context}"
            until(lambda: _gone(kube, run), timeout=GONE, every=1.0, what=what)
        except DeadlineExceeded as late:
            progress.say(f"{late.message}; to look again: {command(cluster, run, 'get')}", style="red")
    ownership.leave(settings, cluster.name, run)


def command(cluster: ClusterInfo, run: str, verb: str) -> str:
    """Return the kubectl command about all that ``run`` has in a cluster that is not ours."""
    kinds = ",".join(each.lower() for each in KINDS)
    return f"kubectl --context {cluster.context} {verb} {kinds} -l {RUN_LABEL}={run}"


def _gone(kube: Kube, run: str) -> bool:
    left = [each for each in _labelled(kube) if _run(each) == run]
    if left:
        raise NotYet(", ".join(f"{each['kind']} {each['metadata']['name']}" for each in left))
    return True


def of_run(kube: Kube, run: str) -> list[str]:
    """Delete every object of ``run``, its sabotages included, without waiting; raises EnvironmentFault."""
    return _delete(kube, [each for each in _labelled(kube) if _run(each) == run])


def _labelled(kube: Kube) -> list[Object]:
    return [each for kind in KINDS for each in kube.list(kind, selector=RUN_LABEL)]


def _delete(kube: Kube, found: list[Object]) -> list[str]:
    if found:
        with progress.step(f"removing {len(found)} objects from the cluster"):
            pods = _pods(kube, found)
            _release(kube, [*found, *pods])
            _free_volumes(kube, found)
            kube.delete(pods, grace=1)  # their own may be a minute, and longer than anybody waits
            kube.delete(found)
    return [f"{each['kind']} {each['metadata']['name']}" for each in found]


def _pods(kube: Kube, found: list[Object]) -> list[Object]:
    """Return the pods of the namespaces in ``found``."""
    namespaces = {str(each["metadata"]["name"]) for each in found if each["kind"] == "Namespace"}
    return [each for each in kube.list("Pod") if each["metadata"].get("namespace") in namespaces]


def _release(kube: Kube, found: list[Object]) -> None:
    """Take finalizers of ours off: who was to do it is no more."""
    for each in found:
        meta = each["metadata"]
        kept = [name for name in meta.get("finalizers") or () if not name.startswith(OURS)]
        if len(kept) == len(meta.get("finalizers") or ()):
            continue
        with suppress(NotFound):
            path = kube.path(each["kind"], meta["name"], meta.get("namespace"))
            kube.patch(path, {"metadata": {"finalizers": kept or None}})


def _free_volumes(kube: Kube, found: list[Object]) -> None:
    """Have retained volumes go with the namespaces and classes in ``found``: they carry no label."""
    namespaces, classes = (
        {str(each["metadata"]["name"]) for each in found if each["kind"] == kind}
        for kind in ("Namespace", "StorageClass")
    )
    if namespaces or classes:
        volumes.let_go(kube, namespaces, classes)


def _run(item: Object) -> str:
    return str(item["metadata"]["labels"][RUN_LABEL])
