"""Removing what dead runs left: idempotent, each thing in its own try, failures collected."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from docker.errors import DockerException, NotFound
from requests.exceptions import RequestException

from boxproof.core.labels import KEPT_LABEL, KIND_CLUSTER_LABEL, RUN_LABEL
from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.host.engine import engine_client
from boxproof.runs import ownership
from boxproof.runs.ownership import Swept
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault

TIMEOUT = 60.0


def attempt(result: Swept, what: str, remove: Callable[..., object], **options: object) -> None:
    """Call ``remove`` and note how it went; what is gone already counts as removed."""
    try:
        remove(**options)
    except NotFound:
        return
    except (DockerException, RequestException, OSError) as error:
        result.failures.append(f"{what}: {error}")
        return
    result.removed.append(what)


def sweep(settings: Settings, engine: EngineInfo | None) -> Swept:
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
