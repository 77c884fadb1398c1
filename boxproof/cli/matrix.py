"""Proves the box in many cells: one cluster at a time, each cell on its own, resumed where it was killed."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import filelock

from boxproof.cli import e2e, shards
from boxproof.cluster import cells, command_tools
from boxproof.cluster.cells import Combination, catalogue, impossible
from boxproof.cluster.kind import decoy_cluster, kind_clusters
from boxproof.core import own_project, run_keys
from boxproof.core.own_project import of
from boxproof.core.process import run as command
from boxproof.core.session import Session
from boxproof.core.settings import ROOT, Settings
from boxproof.host.engine import engine_choice, engine_client
from boxproof.host.fetch.apt import digest
from boxproof.reports import matrix_results
from boxproof.reports.matrix_results import Outcome
from boxproof.runs import ownership, run_life
from pytest_claims import progress
from pytest_claims.faults import BoxproofError, EnvironmentFault, ExitCode, UsageError
from pytest_claims.recording import records
from pytest_claims.reports import results

PROGRESS = "progress.json"
LOAD_TIMEOUT = 120.0  # seconds for an image of a few bytes


@dataclass
class Matrix:
    """A matrix under way: its directory, and what its cells came to so far."""

    settings: Settings
    home: Path
    chosen: tuple[Combination, ...]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    interrupted: bool = False

    def write(self) -> matrix_results.Matrix:
        """Write matrix.json as far as it is known."""
        return matrix_results.write(self.home, self.chosen, self.outcomes)


def main(
    settings: Settings,
    *,
    every: bool = False,
    cell: Sequence[str] | None = None,
    list_json: bool = False,
    shard: str = "",
    merge: Sequence[Path] | None = None,
    complete: bool = False,
    fresh: bool = False,
) -> int:
    """Run the chosen cells, or list or merge them; return the exit code of the verdict."""
    if every and cell:
        raise UsageError("--all and --cell exclude each other", hint="give one of them")
    if complete and not merge:
        raise UsageError("--complete is about --merge", hint="give --merge DIR… too")
    chosen = cells.product() if every else cells.default_cells()
    if cell:
        chosen = cells.named(cell, settings)
    if shard:
        chosen = tuple(shards.part(shards.parse(shard), chosen, lambda each: each.id, {}))
    if shard and not chosen:
        raise UsageError(f"--shard {shard} has no cell", hint="give a smaller N")
    if list_json:
        progress.answer(json.dumps({"include": [_line(each) for each in chosen]}), as_json=True)
        return int(ExitCode.ACCEPTED)
    if merge:
        return join(settings, merge, chosen if complete or cell or every else ())
    return run(settings, chosen, fresh=fresh)


def _line(cell: Combination) -> dict[str, str]:
    known = impossible(cell)
    return cell.model_dump() | {"expect": known.symptom if known else ""}


def join(settings: Settings, directories: Sequence[Path], required: Sequence[Combination]) -> int:
    """Write one report of the matrices in ``directories`` and return the exit code of its verdict."""
    homes = list(matrix_results.found_matrices(directories))
    home = run_life.new_directory(settings.reports)
    try:
        found = matrix_results.merge(homes, home, required)
        matrix_results.write_page(home, found)
    except BaseException:
        run_life.discard_directory(home)
        raise
    return int(publish(home, found))


def run(settings: Settings, chosen: Sequence[Combination], *, fresh: bool = False) -> int:
    """Prove the box in every chosen cell that has not been run yet."""
    settings = replace(settings, claims=settings.claims or catalogue().claims)
    subject = e2e.checked(settings)
    ours = replace(settings, cluster=f"{settings.cluster}-matrix", keep=False)
    with _alone(ours):
        key = content(settings, chosen)
        home = None if fresh else unfinished(settings, key)
        under_way = Matrix(ours, home or run_life.new_directory(settings.reports), tuple(chosen))
        if home:
            under_way.outcomes = matrix_results.read_outcomes(home)
            progress.say(
                f"going on with {home.name}: {len(under_way.outcomes)} of {len(chosen)} cells are done"
            )
        else:
            _note(under_way, key, finished=False)
        record = ownership.claim_run(settings, f"matrix-{under_way.home.name}")
        record = ownership.note(settings, record, cluster=ours.cluster)
        progress.say(f"{len(chosen)} cells of {subject.name}")
        matrix_results.write_page(under_way.home, under_way.write())
        before = results.point_latest(under_way.home)  # never the verdict of an older run
        try:
            run_cells(under_way)
            return conclude(under_way, key)
        except UsageError:
            if not under_way.outcomes:
                shutil.rmtree(under_way.home)
                results.point_back(under_way.home, before)
            raise
        finally:  # last: where an interrupt leaves no time for it, the next start does it
            _remove_cluster(ours)
            ownership.release(settings, record)


def conclude(under_way: Matrix, key: str) -> int:
    """Write the report of what was run and return the exit code."""
    found = under_way.write()
    matrix_results.write_page(under_way.home, found)
    if not under_way.interrupted:
        _note(under_way, key, finished=True)
    code = publish(under_way.home, found)
    return int(ExitCode.INTERRUPTED if under_way.interrupted else code)


def run_cells(under_way: Matrix) -> None:
    """Run what is left, one cell after the other, and keep what each came to; an interrupt ends it."""
    for number, each in enumerate(under_way.chosen, start=1):
        if each.id in under_way.outcomes:
            continue
        with progress.step(f"cell {number} of {len(under_way.chosen)}: {each.id}"):
            outcome = attempt(under_way, each)
        if outcome is None:
            under_way.interrupted = True
            return
        under_way.outcomes[each.id] = outcome
        matrix_results.keep(under_way.home, outcome)
        under_way.write()
        progress.say(f"{each.id}: {outcome.verdict}" + (f" ({outcome.reason})" if outcome.reason else ""))


def attempt(under_way: Matrix, cell: Combination) -> Outcome | None:
    """Return what a cell came to, None if it was interrupted; only wrong usage is raised."""
    started = time.monotonic()
    known = impossible(cell)
    outcome = Outcome(cell=cell, expect=known.symptom if known else "", verdict="blocked")
    try:
        made = _judged(under_way, cell, outcome)
        _remove_cluster(under_way.settings)
    except UsageError:
        raise
    except KeyboardInterrupt:
        return None
    except Exception as error:  # a cell that fails in a new way does not stop the others
        reason = str(error) if isinstance(error, BoxproofError) else f"{type(error).__name__}: {error}"
        made = outcome.model_copy(update={"reason": reason.splitlines()[0]})
    seconds = round(time.monotonic() - started, 1)
    return made.model_copy(update={"seconds": seconds}) if made else None


def _judged(under_way: Matrix, cell: Combination, outcome: Outcome) -> Outcome | None:
    reports = under_way.home / matrix_results.CELLS / cell.id
    found = e2e.prove(replace(under_way.settings, **cell.model_dump(), reports=reports), latest=False)
    if found.interrupted:
        return None
    directory = reports / found.run
    said = symptom(cell, directory)
    judged = matrix_results.judge(cell, found, records.load(directory), said)
    facts = {
        "verdict": judged.verdict,
        "reason": judged.reason,
        "with_symptom": judged.with_symptom,
        "said": said or "",
        "results": f"{found.run}/{results.FILE}",
    }
    return outcome.model_copy(update=facts)


def symptom(cell: Combination, directory: Path) -> str | None:
    """Return how the probe of the cell's expected symptom ended; None without one, or if it could not."""
    known = impossible(cell)
    if known is None:
        return None
    try:
        with progress.step(f"expected: {known.symptom}"):
            return PROBES[known.probe](Session.read(directory / "session.json"))
    except (BoxproofError, OSError, ValueError) as fault:
        progress.say(f"{known.probe}: {fault}", style="red")
        return None


def content(settings: Settings, chosen: Sequence[Combination]) -> str:
    """Return the key of a matrix: the subject and the harness by content, the cells and the claims."""
    trees = sorted({run_keys.of_subject(settings.subject), own_project.tree_hash(ROOT)})
    return digest(
        "matrix",
        trees,
        run_keys.of_circumstances(settings),
        [each.id for each in chosen],
        sorted(of(settings.subject).select(settings.claims)),
    )


def unfinished(settings: Settings, key: str) -> Path | None:
    """Return the newest matrix of the same content that was ended early."""
    for path in sorted(settings.reports.glob(f"*/{PROGRESS}"), reverse=True):
        if path.parent.is_symlink():
            continue
        try:
            told = json.loads(path.read_text())
            mine = told["key"] == key and not told["finished"]
        except (OSError, ValueError, RecursionError, KeyError, TypeError):  # of nobody we could go on with
            continue
        if mine:
            return path.parent
    return None


def _note(under_way: Matrix, key: str, *, finished: bool) -> None:
    records.write_json(under_way.home / PROGRESS, {"schema": 1, "key": key, "finished": finished})


def publish(home: Path, found: matrix_results.Matrix) -> ExitCode:
    """Make a report the latest, say what it says, and return the exit code of its verdict."""
    results.point_latest(home)
    progress.say(f"{found.summary()}; report: {home / 'index.html'}")
    return found.exit_code


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Hold the matrix's cluster: a second matrix would take it away between two cells."""
    directory = settings.state / "clusters"
    directory.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(directory / f"{settings.cluster}.matrix.lock", thread_local=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        hint = "wait for it, or name another cluster with --cluster"
        raise EnvironmentFault(f"a matrix is under way with {settings.cluster}", hint=hint) from None
    try:
        yield
    finally:
        lock.release()


def _remove_cluster(settings: Settings) -> None:
    """Remove the cluster of a cell; what cannot be removed is made anew by the next."""
    if kind_clusters.place(settings, settings.cluster).directory.is_dir():
        try:
            kind_clusters.down(settings, engine_choice.ensure(settings))
        except BoxproofError as fault:
            progress.say(f"{settings.cluster} is not removed: {fault}", style="red")


def kind_load(session: Session) -> str:
    """Return the last line ``kind load`` of a new image ends with, "" if it succeeds.

    Raises EnvironmentFault if it cannot be tried.
    """
    engine, cluster = session.engine, session.cluster
    if engine is None or cluster is None:
        raise EnvironmentFault("there is no cluster to load into")
    client = engine_client.connect(engine.host, timeout=LOAD_TIMEOUT, certs=engine.certs)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="boxproof-tools-") as below,
            decoy_cluster.new_image(client) as image,
        ):
            env = command_tools.variables(session, Path(below))
            argv = [f"{below}/kind", "load", "docker-image", image, "--name", cluster.name]
            result = command(argv, env=env, timeout=LOAD_TIMEOUT, check=False)
            for node in cluster.nodes:
                decoy_cluster.forget(client, node, image)
    finally:
        client.close()
    lines = result.stderr.strip().splitlines() or [f"exit code {result.code}"]
    return "" if result.ok else lines[-1]


PROBES: Mapping[str, Callable[[Session], str]] = MappingProxyType({"kind-load": kind_load})
