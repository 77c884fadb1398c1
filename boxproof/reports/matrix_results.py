"""The matrix: what each cell came to, written as matrix.json, and which verdicts change between cells.

Matrices of many machines are joined into one; its page has each cell, and the claims that differ.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from boxproof.cluster import cells
from boxproof.cluster.cells import Combination, Impossible, impossible
from boxproof.core.own_project import OURS
from pytest_claims import selection
from pytest_claims.faults import ExitCode, UsageError, one_line, unread
from pytest_claims.recording import writing
from pytest_claims.recording.records import Record
from pytest_claims.reports import documents_read, html, results
from pytest_claims.reports.junit import NOT_IN_XML
from pytest_claims.reports.schema import ClaimResult, Part, Results, RunVerdict
from pytest_claims.verdicts import EXIT_CODES, OF_THE_SUBJECT, Verdict

FILE = "matrix.json"
OUTCOME = "outcome.json"
CELLS = "cells"
WORST_FIRST: tuple[RunVerdict, ...] = ("refuted", "blocked", "unproven", "accepted")
SHOWN = 3  # cells a summary names
HINT = "give directories with a matrix.json, as reports/latest is after nox -s matrix"


class Row(Part):
    """One cell in matrix.json; ``results`` is relative to the file, "" for a cell that did not run."""

    id: str
    kind: str
    containerd: str
    kubernetes: str
    expect: str
    verdict: RunVerdict
    results: str


class Matrix(Part):
    """All cells, as written to matrix.json: tools outside this repository rely on it.

    ``narrowed`` says that a cell was about some of the claims alone.
    """

    schema_version: Literal[1] = Field(default=1, validation_alias="schema", serialization_alias="schema")
    verdict: RunVerdict
    cells: tuple[Row, ...]
    narrowed: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that says the same."""
        return EXIT_CODES[self.verdict]

    def summary(self) -> str:
        """Return the verdict with the first cells that are not accepted, worst first."""
        left = [each for each in self.cells if each.verdict != "accepted"]
        left.sort(key=lambda each: WORST_FIRST.index(each.verdict))
        only = " (narrowed to some claims)" if self.narrowed else ""
        text = f"{self.verdict}{only}: {len(self.cells) - len(left)} of {len(self.cells)} cells accepted"
        more = [f"and {len(left) - SHOWN} more"] if len(left) > SHOWN else []
        return "; ".join([text, *(f"{each.id} {each.verdict}" for each in left[:SHOWN]), *more])


class Outcome(Part):
    """What one cell came to, and why, as written to outcome.json; ``results`` is relative to the file.

    ``said`` is what the probe of an expected symptom ended with, ``with_symptom`` the claims that did.
    """

    cell: Combination
    expect: str = ""
    verdict: RunVerdict
    reason: str = ""
    said: str = ""
    with_symptom: tuple[str, ...] = ()
    seconds: float = 0.0
    results: str = ""


@dataclass(frozen=True)
class Judgement:
    """A cell's verdict, why, and the claims that ended with the symptom expected there."""

    verdict: RunVerdict
    reason: str = ""
    with_symptom: tuple[str, ...] = ()


def judge(cell: Combination, found: Results, seen: Mapping[str, Record], said: str | None) -> Judgement:
    """Judge a cell by its run; ``said`` is how the probe of its expected symptom ended, None if it could not.

    Where a symptom is expected and found, the claims that ended with it are set aside.
    """
    other = _other_versions(cell, found)
    if other:
        return Judgement("blocked", other)
    known = impossible(cell)
    if known is None:
        return Judgement(found.verdict, _why(found.claims, found.verdict))
    if said is None:
        return Judgement("blocked", f"{known.probe} could not be tried: {_why(found.claims, found.verdict)}")
    if known.symptom not in said:
        ended = one_line(said) if said else "no error"
        return Judgement("unproven", f"expected {known.symptom!r}, but {known.probe} ended with {ended}")
    return _rest(found, _with_symptom(found, seen, known))


def _other_versions(cell: Combination, found: Results) -> str:
    """Return what the live cluster is instead of the cell, "" if it is the cell or there was none."""
    asked = cell.model_dump()
    live = {name: getattr(found.cell, name) for name in asked}
    wrong = [f"{name} {live[name]}, not {asked[name]}" for name in asked if live[name] != asked[name]]
    return f"the cluster is of {', '.join(wrong)}" if wrong and found.cell.kubernetes else ""


def _why(claims: Iterable[ClaimResult], verdict: RunVerdict) -> str:
    """Return the first reason for a verdict."""
    first = next((each for each in claims if each.verdict == verdict and not each.waiver), None)
    return f"{first.id}: {first.reason}" if first else ""


def _with_symptom(found: Results, seen: Mapping[str, Record], known: Impossible) -> tuple[str, ...]:
    """Return the claims each of whose checks is proven or ended with the symptom.

    Its reason has it, or the last answer of its probes.
    """

    def told(nodeid: str) -> bool:
        record = seen.get(nodeid)
        last = record.observations[-1:] if record else ()
        said = [record.reason if record else "", *(json.dumps(each.answer) for each in last)]
        return any(known.symptom in each for each in said)

    ended = (each for each in found.claims if each.verdict in (Verdict.REFUTED, Verdict.BLOCKED))
    return tuple(
        claim.id
        for claim in ended
        if claim.checks and all(each.verdict is Verdict.PROVEN or told(each.nodeid) for each in claim.checks)
    )


def _rest(found: Results, aside: tuple[str, ...]) -> Judgement:
    left = [each for each in found.claims if each.id not in aside]
    if aside and all(each.waiver or each.verdict in OF_THE_SUBJECT for each in left):
        return Judgement("accepted", with_symptom=aside)
    fault = found.verdict == "blocked" and not any(each.verdict is Verdict.BLOCKED for each in found.claims)
    verdict = results.verdict_of(left, found.interrupted, fault)
    return Judgement(verdict, _why(left, verdict), aside)


def write(home: Path, cells: Sequence[Combination], outcomes: Mapping[str, Outcome]) -> Matrix:
    """Write matrix.json for ``cells``, unproven where there is no outcome yet, and return it."""
    rows = tuple(_row(each, outcomes.get(each.id)) for each in cells)
    narrowed = any(each.narrowed for each in read_runs(home, outcomes).values())
    matrix = Matrix(verdict=worst(each.verdict for each in rows), cells=rows, narrowed=narrowed)
    results.write(home / FILE, matrix)
    return matrix


def _row(cell: Combination, outcome: Outcome | None) -> Row:
    known = impossible(cell)
    expect = outcome.expect if outcome else known.symptom if known else ""
    where = f"{CELLS}/{cell.id}/{outcome.results}" if outcome and outcome.results else ""
    verdict = outcome.verdict if outcome else "unproven"
    return Row(id=cell.id, **cell.model_dump(), expect=expect, verdict=verdict, results=where)


def worst(verdicts: Iterable[RunVerdict]) -> RunVerdict:
    """Return the worst verdict: refuted, blocked, unproven, accepted; of none it is unproven."""
    found = set(verdicts)
    return next((each for each in WORST_FIRST if each in found), "unproven")


def read(home: Path) -> Matrix:
    """Read matrix.json; raises OSError or ValueError."""
    return Matrix.model_validate(documents_read.read_object(home / FILE, 1, "cells"))


def keep(home: Path, outcome: Outcome) -> None:
    """Write what a cell came to."""
    results.write(home / CELLS / outcome.cell.id / OUTCOME, outcome)


def read_outcomes(home: Path) -> dict[str, Outcome]:
    """Return what the cells of a matrix came to so far, by id; raises OSError or ValueError."""
    paths = sorted((home / CELLS).glob(f"*/{OUTCOME}"))
    found = {}
    for path in paths:
        made = Outcome.model_validate(documents_read.loads(path.read_text()))
        name, where = made.cell.id, Path(made.results)
        if name != path.parent.name:
            raise ValueError(f"{path.parent.name}/{OUTCOME} is about {name[:80]!r}")
        if where.is_absolute() or ".." in where.parts:
            raise ValueError(f"{path.parent.name}/{OUTCOME} has results={made.results[:80]!r} outside of it")
        found[name] = made
    return found


def read_runs(home: Path, known: Mapping[str, Outcome]) -> dict[str, Results]:
    """Return the results of the cells that have some, by id; raises OSError or ValueError."""
    return {
        name: results.read(home / CELLS / name / each.results) for name, each in known.items() if each.results
    }


@dataclass(frozen=True)
class Difference:
    """A claim whose verdict changes between cells: for each status the reason and the cells."""

    claim: str
    statuses: Mapping[str, tuple[str, tuple[str, ...]]]


def differing(found: Mapping[str, Results]) -> tuple[Difference, ...]:
    """Return the claims that have different verdicts in different cells."""
    told: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {}
    for name, run in found.items():
        for claim in run.claims:
            status = "waived" if claim.waiver else str(claim.verdict)
            statuses = told.setdefault(claim.id, {})
            reason, names = statuses.get(status, (claim.reason, ()))
            statuses[status] = (reason, (*names, name))
    return tuple(Difference(claim, statuses) for claim, statuses in told.items() if len(statuses) > 1)


def merge(directories: Iterable[Path], into: Path, required: Sequence[Combination] = ()) -> Matrix:
    """Copy the cells of matrices into ``into`` and write their matrix.json.

    A directory is one of a matrix, or holds some. What two of them have counts by the worse; a cell
    of ``required`` that none has is unproven. Raises UsageError for a directory without a matrix, or
    for results about different subjects or by different harnesses.
    """
    cells = {each.id: each for each in required}
    chosen: dict[str, tuple[Path, Outcome]] = {}
    sources: dict[str, Path] = {}
    for home in found_matrices(directories):
        rows, outcomes, runs = _read(home)
        for run in runs.values():
            about = f" ({run.key.subject}, harness {run.key.harness})" if run.key else ""
            sources.setdefault(f"{run.subject.name} at {run.subject.source}{about}", home)
        for row in rows.cells:
            cells.setdefault(row.id, _versions(row))
        for name, outcome in outcomes.items():
            known = chosen.get(name)
            if known is None or worst([known[1].verdict, outcome.verdict]) != known[1].verdict:
                chosen[name] = (home, outcome)
    if len(sources) > 1:
        shown = ", ".join(f"{source} in {home}" for source, home in sources.items())
        raise UsageError(
            f"results of different subjects or harnesses: {shown}", hint="merge what one matrix ran"
        )
    for name, (home, _) in chosen.items():
        shutil.copytree(home / CELLS / name, into / CELLS / name, symlinks=True)
    return write(into, tuple(cells.values()), {name: each for name, (_, each) in chosen.items()})


def found_matrices(directories: Iterable[Path]) -> Iterator[Path]:
    """Yield the directories with a matrix.json: those given, or those directly below them."""
    for directory in directories:
        if selection.is_file(directory / FILE):
            yield directory
            continue
        try:
            below = sorted({path.parent.resolve() for path in directory.glob(f"*/{FILE}")})
        except OSError as error:
            raise UsageError(f"--merge {directory}: {error.strerror}", hint=HINT) from error
        if not below:
            of_one = selection.is_file(directory / results.FILE)
            hint = "it is the report of one run: nox -s e2e -- --merge joins those" if of_one else HINT
            raise UsageError(f"no {FILE} in {directory}", hint=hint)
        yield from below


def _read(home: Path) -> tuple[Matrix, dict[str, Outcome], dict[str, Results]]:
    try:
        for each in (home / CELLS).rglob("*"):  # it would put a file of this machine into the report
            if each.is_symlink() and not each.resolve().is_relative_to(home.resolve()):
                raise ValueError(f"{each.relative_to(home)} leads out of it")
            if not each.is_dir() and not each.is_file():  # a pipe would be waited for
                raise ValueError(f"{each.relative_to(home)} is no file")
        outcomes, found = read_outcomes(home), read(home)
        for row in found.cells:
            if row.id != _versions(row).id:
                raise ValueError(f"{FILE} calls the cell {_versions(row).id} {row.id[:80]!r}")
        return found, outcomes, read_runs(home, outcomes)
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{home}: {unread(error)}", hint=HINT) from error


def _versions(row: Row) -> Combination:
    """Return the cell of a row."""
    return Combination(**row.model_dump(include=set(Combination.model_fields)))


@dataclass(frozen=True)
class CellView:
    """One cell with its run, what is known to differ in it, and why it cannot work, "" if it must."""

    row: Row
    outcome: Outcome | None
    run: Results | None
    known: tuple[str, ...]
    ruled_out: str

    @property
    def page(self) -> str:
        """The page of its run, relative to the matrix's."""
        return f"{self.row.results.rpartition('/')[0]}/{html.FILE}" if self.row.results else ""


def write_page(home: Path, found: Matrix) -> Path:
    """Write the page beside matrix.json and return its path; raises OSError or ValueError."""
    known = read_outcomes(home)
    return writing.write_page(home / html.FILE, render_page(found, known, read_runs(home, known)))


def render_page(found: Matrix, outcomes: Mapping[str, Outcome], runs: Mapping[str, Results]) -> str:
    """Return the page as text."""
    views = tuple(_view(each, outcomes.get(each.id), runs.get(each.id)) for each in found.cells)
    text = html.template("matrix.html.j2", Path(__file__).parent).render(
        matrix=found,
        cells=views,
        differences=differing(runs),
        known={says: [each.row.id for each in views if says in each.known] for says in _known(views)},
        says={name: each.says for name, each in OURS.claims().items()},
    )
    return NOT_IN_XML.sub("\ufffd", text)


def _known(views: Iterable[CellView]) -> list[str]:
    return list(dict.fromkeys(says for each in views for says in each.known))


def _view(row: Row, outcome: Outcome | None, run: Results | None) -> CellView:
    versions = _versions(row)
    known = cells.differences(versions, run.cell.cgroup if run else "")
    why = cells.impossible(versions)
    return CellView(row, outcome, run, tuple(each.says for each in known), why.reason if why else "")
