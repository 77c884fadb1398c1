"""Removing what dead runs left: idempotent, each thing in its own try, failures collected.

The sweep of the engine does not see into a cluster: that has one of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from docker import errors
from docker.errors import DockerException
from requests.exceptions import RequestException

from boxproof.core.session import KEPT_LABEL, KIND_CLUSTER_LABEL, RUN_LABEL, ClusterInfo, EngineInfo
from boxproof.core.settings import Settings
from boxproof.host.engine import engine_client
from boxproof.kube.client import Kube, NotFound, Object
from boxproof.probes.pods import volumes
from boxproof.runs import ownership
from boxproof.runs.ownership import Swept
from pytest_claims import progress
from pytest_claims.faults import DeadlineExceeded, EnvironmentFault
from pytest_claims.waiting import NotYet, until

TIMEOUT = 60.0
KINDS = (  # what an instance has beside its namespace, dependants first
    "ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy", "ClusterRoleBinding", "ClusterRole",
    "PersistentVolume", "PriorityClass", "StorageClass", "Namespace",
)  # fmt: skip
OURS = "boxproof.dev/"  # how finalizers of the harness begin
REFERENCE = "boxproof.dev/role=reference"  # a pod that shows a node to work
GONE = 120.0  # seconds for namespaces to empty


def attempt(result: Swept, what: str, remove: Callable[..., object], **options: object) -> None:
    """Call ``remove`` and note how it went; what is gone already counts as removed."""
    try:
        remove(**options)
    except errors.NotFound:
        return
    except (DockerException, RequestException, OSError) as error:
        result.failures.append(f"{what}: {error}")
        return
    result.removed.append(what)


def sweep_engine(settings: Settings, engine: EngineInfo | None) -> Swept:
    """Remove what dead runs left, never what is marked kept, and return what was done.

    Without an engine only files are removed and the records stay. Never raises for a thing that
    cannot be removed: its run's record stays, and the next sweep tries again.
    """
    result = Swept()
    dead = ownership.dead_runs(settings)
    if not dead:
        return result
    client = _client(engine)
    with progress.step(f"sweeping what {len(dead)} dead runs left"):
        for record in dead:
            before = len(result.failures)
            _sweep_processes(settings, record, result)
            _sweep_files(settings, record, result)
            if client is not None:
                sweep_run(client, record, result)
            if client is not None and len(result.failures) == before:
                ownership.release(settings, record)
    if client is not None:
        client.close()
    for failure in result.failures:
        progress.say(f"not swept: {failure}")
    return result


def sweep_run(client: Any, record: ownership.RunRecord, result: Swept) -> None:
    """Remove the containers, networks, volumes, images and clusters of one run from the engine."""
    label = f"{RUN_LABEL}={record.run}"
    chosen = {"label": label}
    for cluster in record.clusters:
        remove_cluster(client, cluster, result)
    _remove_containers(client, label, result)
    for each in _listed(result, lambda: client.networks.list(filters=chosen)):
        attempt(result, f"network {each.name}", each.remove)
    for each in _listed(result, lambda: client.volumes.list(filters=chosen)):
        attempt(result, f"volume {each.name}", each.remove, force=True)
    for each in _listed(result, lambda: client.images.list(filters=chosen)):
        attempt(result, f"image {each.id}", client.images.remove, image=each.id, force=True)


def clear(engine: EngineInfo, record: ownership.RunRecord, result: Swept) -> None:
    """Remove what one run, kept or not, has in the engine, its clusters apart; failures are noted."""
    try:
        client = _client(engine)
    except DockerException as error:
        result.failures.append(f"the engine does not answer: {error}")
        return
    try:
        sweep_run(client, record.model_copy(update={"clusters": ()}), result)
    finally:
        client.close()


def remove_cluster(client: Any, name: str, result: Swept) -> None:
    """Remove the nodes of the KIND cluster ``name``, which carry no label of ours, and their volumes."""
    _remove_containers(client, f"{KIND_CLUSTER_LABEL}={name}", result)


def _remove_containers(client: Any, label: str, result: Swept) -> None:
    chosen = {"label": label}
    for each in _listed(result, lambda: client.containers.list(all=True, filters=chosen, sparse=True)):
        names = each.attrs.get("Names") or [each.id]
        attempt(result, f"container {names[0].lstrip('/')}", each.remove, force=True, v=True)


def _sweep_processes(settings: Settings, record: ownership.RunRecord, result: Swept) -> None:
    """First of all: what still runs would go on creating."""
    try:
        result.removed += [f"process {pid}" for pid in ownership.end_processes(settings, record)]
    except (EnvironmentFault, OSError) as error:
        result.failures.append(f"processes of {record.run}: {error}")


def _sweep_files(settings: Settings, record: ownership.RunRecord, result: Swept) -> None:
    try:
        result.removed += [f"path {each}" for each in ownership.remove_files(settings, record)]
    except OSError as error:
        result.failures.append(f"files of {record.run}: {error}")


def _listed(result: Swept, ask: Callable[[], list[Any]]) -> Iterator[Any]:
    try:
        found = ask()
    except (DockerException, RequestException) as error:
        result.failures.append(f"cannot list: {error}")
        return
    for each in found:
        if (each.attrs.get("Labels") or _config_labels(each)).get(KEPT_LABEL) != "true":
            yield each


def _config_labels(each: Any) -> dict[str, str]:
    return (each.attrs.get("Config") or {}).get("Labels") or {}


def _client(engine: EngineInfo | None) -> Any:
    return engine_client.connect(engine.host, timeout=TIMEOUT, certs=engine.certs) if engine else None


def sweep_cluster(settings: Settings, kube: Kube, run: str) -> list[str]:
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
