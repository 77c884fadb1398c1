"""What a run has left: processes, objects in cluster and engine, files, held locks."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import filelock
from docker.errors import DockerException

from boxproof.cluster.kind import kind_clusters
from boxproof.core.parents import PARENT
from boxproof.core.process import OWN_TEMPORARY, OWNER, temporary_root
from boxproof.core.session import RUN_LABEL
from boxproof.core.settings import Settings
from boxproof.host import process_table
from boxproof.host.engine import engine_choice, engine_client
from boxproof.kube import owed
from boxproof.kube.client import Kube
from boxproof.runs import ownership, sweeping
from pytest_claims.faults import EnvironmentFault

DAEMONS = frozenset(
    {"dockerd", "containerd", "docker-proxy", "containerd-shim-runc-v2"}
)  # stay for the next run


def records(settings: Settings) -> set[str]:
    """Return the names of the runs that have a record."""
    return {each.run for each in ownership.runs(settings)}


@dataclass(frozen=True)
class Tree:
    """A process and all below it, by pid and start time, the engine apart."""

    members: dict[int, int]

    @classmethod
    def of(cls, pid: int) -> Tree:
        """Return the tree as it is now."""
        return cls({each: process_table.start_time(each) for each in below(pid)})

    def alive(self) -> list[str]:
        """Return those that still live, and what the first of them has started since."""
        found = [
            pid for pid, start in self.members.items() if start and process_table.start_time(pid) == start
        ]
        top, start = next(iter(self.members.items()))
        found += set(process_table.with_variable(PARENT, f"{top}:{start}")) - set(found)
        return [f"process {pid} {' '.join(process_table.command(pid))[:120]}" for pid in found]

    def kill(self) -> None:
        """KILL all of it, what is started meanwhile too: everything is stopped first."""
        [top, *_] = self.members
        stopped: set[int] = set()
        while True:
            new = [pid for pid in below(top) if pid not in stopped]
            if not new:
                break
            for pid in new:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            stopped.update(new)
        for pid in stopped:
            self.members.setdefault(pid, process_table.start_time(pid))
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def below(pid: int) -> list[int]:
    """Return ``pid`` and all its descendants, itself first, the engine apart."""
    words = process_table.command(pid)
    if words and Path(words[0]).name in DAEMONS:
        return []
    return [pid, *(deeper for child in process_table.children(pid) for deeper in below(child))]


def of(settings: Settings, run: str) -> list[str]:
    """Return what is left of ``run`` ("" is one that never began); raises EnvironmentFault.

    The lock of the cluster is looked at too: nobody may hold it while no run is under way.
    """
    found = list(_locks(settings))
    if run:
        found += [*_files(settings, run), *processes(settings, run), *_in_engine(settings, run)]
        found += _in_cluster(settings, run)
    return found


def _locks(settings: Settings) -> Iterator[str]:
    path = settings.state / "clusters" / f"{settings.cluster}.lock"
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        yield f"held lock {path.name}"
    else:
        lock.release()


def _files(settings: Settings, run: str) -> Iterator[str]:
    if run in records(settings):
        yield f"record of {run}"
    for path in temporary_root().glob(f"{OWN_TEMPORARY}{run}-*"):
        yield f"directory {path.name}"
    for path in (settings.state / owed.DIRECTORY).glob("*.json"):
        if f"/{run}.json" in path.read_text():
            yield f"owed {path.name}"


def processes(settings: Settings, run: str) -> Iterator[str]:
    """Give what the run ("" is none) has started and still lives."""
    mark = ownership.mark(settings, ownership.RunRecord(run=run))
    for pid in process_table.with_variable(OWNER, mark):
        yield f"process {pid} {' '.join(process_table.command(pid))[:120]}"


def _in_engine(settings: Settings, run: str) -> list[str]:
    engine = engine_choice.ensure(settings)
    chosen = {"label": f"{RUN_LABEL}={run}"}
    client = engine_client.connect(engine.host, timeout=30, certs=engine.certs)
    try:
        kinds = {
            "container": client.containers.list(all=True, filters=chosen, sparse=True),
            "network": client.networks.list(filters=chosen),
            "volume": client.volumes.list(filters=chosen),
            "image": client.images.list(filters=chosen),
        }
        return [f"{name} {each.id[:19]}" for name, many in kinds.items() for each in many]
    except DockerException as error:
        raise EnvironmentFault(f"the engine does not answer: {error}") from error
    finally:
        client.close()


def _in_cluster(settings: Settings, run: str) -> list[str]:
    kubeconfig = kind_clusters.place(settings, settings.cluster).kubeconfig
    if not kubeconfig.is_file():
        return []
    kube = Kube(str(kubeconfig))
    try:
        found = [
            each
            for name in (*sweeping.KINDS, "Pod")
            for each in kube.list(name, selector=f"{RUN_LABEL}={run}")
        ]
        lone = kube.list("Pod", selector=sweeping.REFERENCE)
    finally:
        kube.close()
    return [f"{each['kind']} {_described(each['metadata'])}" for each in (*found, *lone)]


def _described(meta: dict[str, object]) -> str:
    words = [str(meta["name"])]
    words += ["Terminating"] * ("deletionTimestamp" in meta)
    words += [f"finalizers {meta['finalizers']}"] if meta.get("finalizers") else []
    return " ".join(words)
