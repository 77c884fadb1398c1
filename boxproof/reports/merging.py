"""Matrices of many machines joined into one report."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from boxproof.cluster.cells import Combination
from boxproof.errors import UsageError
from boxproof.reports import matrix
from boxproof.reports.matrix import Matrix, Outcome
from boxproof.reports.model import Results

HINT = "give directories with a matrix.json, as reports/latest is after nox -s matrix"


def merge(directories: Iterable[Path], into: Path, required: Sequence[Combination] = ()) -> Matrix:
    """Copy the cells of matrices into ``into`` and write their matrix.json.

    A directory is one of a matrix, or holds some. What two of them have counts by the worse; a cell
    of ``required`` that none has is unproven. Raises UsageError for a directory without a matrix, or
    for results about different subjects.
    """
    cells = {each.id: each for each in required}
    chosen: dict[str, tuple[Path, Outcome]] = {}
    sources: dict[str, Path] = {}
    for home in found(directories):
        rows, outcomes, runs = _read(home)
        for run in runs.values():
            sources.setdefault(f"{run.subject.name} at {run.subject.source}", home)
        for row in rows.cells:
            cells.setdefault(row.id, Combination(**row.model_dump(include=set(Combination.model_fields))))
        for name, outcome in outcomes.items():
            known = chosen.get(name)
            if known is None or matrix.worst([known[1].verdict, outcome.verdict]) != known[1].verdict:
                chosen[name] = (home, outcome)
    if len(sources) > 1:
        shown = ", ".join(f"{source} in {home}" for source, home in sources.items())
        raise UsageError(f"results of different subjects: {shown}", hint="merge what one matrix ran")
    for name, (home, _) in chosen.items():
        shutil.copytree(home / matrix.CELLS / name, into / matrix.CELLS / name, symlinks=True)
    return matrix.write(into, tuple(cells.values()), {name: each for name, (_, each) in chosen.items()})


def found(directories: Iterable[Path]) -> Iterator[Path]:
    """Yield the directories with a matrix.json: those given, or those directly below them."""
    for directory in directories:
        if (directory / matrix.FILE).is_file():
            yield directory
            continue
        below = sorted({path.parent.resolve() for path in directory.glob(f"*/{matrix.FILE}")})
        if not below:
            raise UsageError(f"no {matrix.FILE} in {directory}", hint=HINT)
        yield from below


def _read(home: Path) -> tuple[Matrix, dict[str, Outcome], dict[str, Results]]:
    try:
        outcomes = matrix.outcomes(home)
        return matrix.read(home), outcomes, matrix.runs(home, outcomes)
    except (OSError, ValueError) as error:
        raise UsageError(f"{home}: {str(error).splitlines()[0]}", hint=HINT) from error
