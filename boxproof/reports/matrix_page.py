"""The page of a matrix: the verdict, each cell, and the claims whose verdict changes between cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from boxproof.cluster import cells
from boxproof.core.own_project import OURS
from boxproof.reports import matrix_results
from boxproof.reports.matrix_results import Matrix, Outcome, Row
from pytest_claims.recording import writing
from pytest_claims.reports import html
from pytest_claims.reports.junit import NOT_IN_XML
from pytest_claims.reports.schema import Results


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


def write(home: Path, found: Matrix) -> Path:
    """Write the page beside matrix.json and return its path; raises OSError or ValueError."""
    known = matrix_results.outcomes(home)
    return writing.write_page(home / html.FILE, render(found, known, matrix_results.runs(home, known)))


def render(found: Matrix, outcomes: Mapping[str, Outcome], runs: Mapping[str, Results]) -> str:
    """Return the page as text."""
    views = tuple(_view(each, outcomes.get(each.id), runs.get(each.id)) for each in found.cells)
    text = html.template("matrix.html.j2", Path(__file__).parent).render(
        matrix=found,
        cells=views,
        differences=matrix_results.differing(runs),
        known={says: [each.row.id for each in views if says in each.known] for says in _known(views)},
        says={name: each.says for name, each in OURS.claims().items()},
    )
    return NOT_IN_XML.sub("\ufffd", text)


def _known(views: Iterable[CellView]) -> list[str]:
    return list(dict.fromkeys(says for each in views for says in each.known))


def _view(row: Row, outcome: Outcome | None, run: Results | None) -> CellView:
    versions = cells.Combination(**row.model_dump(include=set(cells.Combination.model_fields)))
    known = cells.differences(versions, run.cell.cgroup if run else "")
    why = cells.impossible(versions)
    return CellView(row, outcome, run, tuple(each.says for each in known), why.reason if why else "")
