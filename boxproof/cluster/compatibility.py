"""Which KIND loads new content into which containerd: only pairs that were shown to do so are let through."""

from __future__ import annotations

import shutil

from boxproof.cluster import cells
from boxproof.cluster.cells import Cell, Combination
from boxproof.core.process import run
from boxproof.core.settings import Settings
from pytest_claims.faults import EnvironmentFault, UsageError


def check(settings: Settings) -> Cell:
    """Return the cell that was asked for; raises UsageError where its KIND was not shown to load into it.

    Raises UsageError for a cluster that exists too: it is no cell.
    """
    settings.own_cluster()
    cell = cells.check(settings)
    demand(cell.combination)
    return cell


def demand(asked: Combination) -> None:
    """Raise UsageError, with the pairs that are let through, for any other."""
    pairs = cells.catalogue().shown
    if any((each.kind, each.containerd) == (asked.kind, asked.containerd) for each in pairs):
        return
    known = cells.impossible(asked)
    why = f": {known.symptom}" if known else ""
    text = f"kind {asked.kind} was not shown to load new content into containerd {asked.containerd}{why}"
    raise UsageError(text, hint=f"shown: {'; '.join(listing())}; to try others: nox -s matrix -- --cell …")


def listing() -> list[str]:
    """Return the pairs that are let through, a line for each KIND, the newest first."""
    found: dict[str, list[str]] = {}
    for each in cells.catalogue().shown:
        found.setdefault(each.kind, []).append(each.containerd)
    return [f"kind {kind} with containerd {', '.join(versions)}" for kind, versions in found.items()]


def installed(settings: Settings) -> str:
    """Return the version of the kind that a documented command would call: that in PATH, else the cell's.

    Nothing is built for it. Raises EnvironmentFault if the program in PATH does not say.
    """
    program = shutil.which("kind")
    if program is None:
        return cells.check(settings).kind.version
    words = run([program, "version"], timeout=20).stdout.split()
    version = next((each.removeprefix("v") for each in words if each.startswith("v")), "")
    if not version:
        raise EnvironmentFault(f"{program} version does not say which it is: {' '.join(words)}")
    return version
