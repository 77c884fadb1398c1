"""Who owns what: a record per run, written before anything is created; what dead runs left is swept."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import filelock
from pydantic import BaseModel, ConfigDict, Field

from boxproof.core.process import OWNER, owned_by, temporary_root
from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.deployment import box_instances
from boxproof.host import process_table
from pytest_claims import selection
from pytest_claims.faults import EnvironmentFault, UsageError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


class RunRecord(BaseModel):
    """One run: its process, so that it can be told dead, and what cannot carry a label."""

    model_config = ConfigDict(frozen=True)

    run: str
    pid: int = 0
    pid_start: int = 0  # clock ticks since boot: tells a process from a later one of the same pid
    boot_id: str = ""
    started: datetime = Field(default_factory=lambda: datetime.now(UTC))
    kept: bool = False
    cluster: str = ""  # where its instances and its stub are
    clusters: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def alive(self) -> bool:
        """Whether the process that wrote the record still runs."""
        same_boot = self.boot_id == process_table.boot_id()
        return bool(self.pid) and same_boot and process_table.start_time(self.pid) == self.pid_start


@dataclass
class Swept:
    """What a sweep removed and what it could not, each as "kind name"."""

    removed: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def claim_run(settings: Settings, run: str) -> RunRecord:
    """Write the record of ``run``, owned by this process.

    Raises UsageError for a name that cannot be a label, EnvironmentFault when a live run has it, or
    when the record cannot be written.
    """
    if not NAME.fullmatch(run):
        raise UsageError(f"run {run!r}", hint="letters, digits, dot, dash, underscore; at most 63")
    other = under_way(settings, run)
    if other:
        raise EnvironmentFault(f"run {run} is under way (pid {other})", hint="choose another name")
    pid = os.getpid()
    record = RunRecord(
        run=run, pid=pid, pid_start=process_table.start_time(pid), boot_id=process_table.boot_id()
    )
    owned_by(mark(settings, record))
    return _write(settings, record)


def under_way(settings: Settings, run: str) -> int:
    """Return the process that a run of this name is under way in, 0 where there is none but this one."""
    before = _read(_path(settings, run))
    return before.pid if before.alive and before.pid != os.getpid() else 0


def mark(settings: Settings, record: RunRecord) -> str:
    """Return what the processes of a run have as ``OWNER`` in their environment."""
    return str(_path(settings, record.run))


def end_processes(settings: Settings, record: RunRecord) -> list[int]:
    """End what a dead run started and what outlived it, and return the pids; raises EnvironmentFault."""
    return process_table.end(OWNER, mark(settings, record), what=f"what run {record.run} started")


def note(settings: Settings, record: RunRecord, *, cluster: str = "", path: Path | None = None) -> RunRecord:
    """Add a cluster or a path that is about to be created; returns the new record."""
    added = {
        "clusters": _with(record.clusters, cluster),
        "files": _with(record.files, str(path) if path else ""),
    }
    return _write(settings, record.model_copy(update=added))


def forget(
    settings: Settings, record: RunRecord, *, cluster: str = "", path: Path | None = None
) -> RunRecord:
    """Take out a cluster or a path that was removed, or that stays for the next run."""
    left = {
        "clusters": tuple(each for each in record.clusters if each != cluster),
        "files": tuple(each for each in record.files if each != str(path)),
    }
    return _write(settings, record.model_copy(update=left))


def keep(settings: Settings, record: RunRecord) -> RunRecord:
    """Mark everything of the run as kept: no sweep touches it; returns the new record."""
    return _write(settings, record.model_copy(update={"kept": True}))


def within(settings: Settings, record: RunRecord, cluster: str) -> RunRecord:
    """Note in which cluster the run is at work, so that what it keeps goes with that one; the new record."""
    return _write(settings, record.model_copy(update={"cluster": cluster}))


def enter(settings: Settings, cluster: str, run: str) -> None:
    """Note, before anything is made there, that ``run`` is at work in a cluster that is not ours.

    It outlives the run's record: what a killed run left is removed by the next one in that cluster, and
    only runs of this machine are known to be dead. Raises EnvironmentFault if it cannot be written.
    """
    path = settings.state / "entered" / cluster / run
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise EnvironmentFault(f"cannot write {path}: {error.strerror}", hint="set BOXPROOF_STATE") from error


def leave(settings: Settings, cluster: str, run: str) -> None:
    """Forget that ``run`` was in that cluster: it has removed all it made there, or keeps it on purpose."""
    (settings.state / "entered" / cluster / run).unlink(missing_ok=True)


def entered(settings: Settings, cluster: str) -> list[str]:
    """Return the runs of this machine that have not left that cluster."""
    return sorted(path.name for path in (settings.state / "entered" / cluster).glob("*"))


def release(settings: Settings, record: RunRecord) -> None:
    """Drop the record of a run that has removed all it made."""
    shutil.rmtree(box_instances.home_of(settings.state, record.run), ignore_errors=True)
    _path(settings, record.run).unlink(missing_ok=True)


def runs(settings: Settings) -> list[RunRecord]:
    """Return the records of all runs; one that cannot be read counts as dead, by its file's name."""
    return [_read(path) for path in sorted((settings.state / "runs").glob("*.json"))]


def of(settings: Settings, run: str) -> RunRecord:
    """Return the record of ``run`` with its workers' notes; raises EnvironmentFault without one."""
    found = next((record for record in runs(settings) if record.run == run), None)
    if found is None:
        raise EnvironmentFault(f"no record of what the run {run} owns")
    return found


def dead_runs(settings: Settings) -> list[RunRecord]:
    """Return the records of runs whose process is gone and that are not kept."""
    return [record for record in runs(settings) if not record.alive and not record.kept]


def sweep(settings: Settings, engine: EngineInfo | None) -> Swept:
    """Remove what dead runs left, never what is marked kept; see ``sweeping.sweep``."""
    from boxproof.runs import sweeping

    return sweeping.sweep_engine(settings, engine)


@contextmanager
def cluster_held(settings: Settings, name: str, record: RunRecord) -> Iterator[None]:
    """Hold the cluster ``name`` for this run; the hold ends with the process at the latest.

    Raises EnvironmentFault at once when a live run holds it.
    """
    directory = settings.state / "clusters"
    directory.mkdir(parents=True, exist_ok=True)
    holder = directory / f"{name}.holder"
    lock = filelock.FileLock(directory / f"{name}.lock", thread_local=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        who = holder.read_text().strip() if holder.exists() else "another run"
        hint = "wait for it, or name another with --cluster or --context"
        raise EnvironmentFault(f"the cluster {name!r} is in use by {who}", hint=hint) from None
    try:
        holder.write_text(f"run {record.run} (pid {record.pid})\n")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def remove_files(settings: Settings, record: RunRecord) -> list[str]:
    """Remove the recorded paths of a dead run and return what was removed; raises OSError.

    A path outside the temporary, state, cache and reports directories is left alone.
    """
    places = [temporary_root(), settings.state, settings.cache, settings.reports]
    removed = []
    for text in record.files:
        path = Path(text)
        inside = any(path.is_relative_to(place) for place in places)
        inside = inside and not any(place.is_relative_to(path) for place in places)
        if not inside or ".." in path.parts or not (path.exists() or path.is_symlink()):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
        removed.append(text)
    return removed


def _with(values: tuple[str, ...], value: str) -> tuple[str, ...]:
    return values if not value or value in values else (*values, value)


def _path(settings: Settings, run: str) -> Path:
    return settings.state / "runs" / f"{run}.json"


def _write(settings: Settings, record: RunRecord) -> RunRecord:
    path = _path(settings, record.run)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.new")
        temporary.write_text(record.model_dump_json(indent=2))
        temporary.replace(path)
    except OSError as error:
        hint = "make room, or set BOXPROOF_STATE"
        raise EnvironmentFault(f"cannot write {path}: {error.strerror}", hint=hint) from error
    return record


def _read(path: Path) -> RunRecord:
    try:
        plain = selection.is_file(path)  # a pipe would be waited for
        return RunRecord.model_validate_json(path.read_text()) if plain else RunRecord(run=path.stem)
    except (OSError, ValueError):
        return RunRecord(run=path.stem)
