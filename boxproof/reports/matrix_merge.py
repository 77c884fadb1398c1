"""Matrices of many machines joined into one report."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from boxproof.cluster.cells import Combination
from boxproof.reports import matrix_results
from boxproof.reports.matrix_results import Matrix, Outcome
from pytest_claims.faults import UsageError
from pytest_claims.reports.schema import Results

HINT = "give directories with a matrix.json, as reports/latest is after nox -s matrix"


def merge(directories: Iterable[Path], into: Path, required: Sequence[Combination] = ()) -> Matrix:
    """Copy the cells of matrices into ``into`` and write their matrix.json.

    A directory is one of a matrix, or holds some. What two of them have counts by the worse; a cell
    of ``required`` that none has is unproven. Raises UsageError for a directory without a matrix, or
    for results about different subjects or by different harnesses.
    """
    cells = {each.id: each for each in required}
    chosen: dict[str, tuple[Path, Outcome]] = {}
    sources: dict[str, Path] = {}
    for home in found(directories):
        rows, outcomes, runs = _read(home)
        for run in runs.values():
            about = f" ({run.key.subject}, harness {run.key.harness})" if run.key else ""
            sources.setdefault(f"{run.subject.name} at {run.subject.source}{about}", home)
        for row in rows.cells:
            cells.setdefault(row.id, Combination(**row.model_dump(include=set(Combination.model_fields))))
        for name, outcome in outcomes.items():
            known = chosen.get(name)
            if known is None or matrix_results.worst([known[1].verdict, outcome.verdict]) != known[1].verdict:
                chosen[name] = (home, outcome)
    if len(sources) > 1:
        shown = ", ".join(f"{source} in {home}" for source, home in sources.items())
        raise UsageError(
            f"results of different subjects or harnesses: {shown}", hint="merge what one matrix ran"
        )
    for name, (home, _) in chosen.items():
        shutil.copytree(home / matrix_results.CELLS / name, into / matrix_results.CELLS / name, symlinks=True)
    return matrix_results.write(
        into, tuple(cells.values()), {name: each for name, (_, each) in chosen.items()}
    )


def found(directories: Iterable[Path]) -> Iterator[Path]:
    """Yield the directories with a matrix.json: those given, or those directly below them."""
    for directory in directories:
        if (directory / matrix_results.FILE).is_file():
            yield directory
            continue
        below = sorted({path.parent.resolve() for path in directory.glob(f"*/{matrix_results.FILE}")})
        if not below:
            raise UsageError(f"no {matrix_results.FILE} in {directory}", hint=HINT)
        yield from below


def _read(home: Path) -> tuple[Matrix, dict[str, Outcome], dict[str, Results]]:
    try:
        outcomes = matrix_results.outcomes(home)
        return matrix_results.read(home), outcomes, matrix_results.runs(home, outcomes)
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{home}: {str(error).splitlines()[0]}", hint=HINT) from error
