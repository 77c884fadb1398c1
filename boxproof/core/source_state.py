"""Which state of a subject was under test."""

from __future__ import annotations

from pathlib import Path

from boxproof.core.process import run
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import content_keys


def describe(directory: Path) -> str:
    """Return git's description of ``directory`` ("-dirty" with edits), else a hash of its files."""
    try:
        found = run(
            ["git", "-C", directory, "describe", "--always", "--dirty", "--tags"], timeout=20, check=False
        )
    except EnvironmentFault:
        return tree_hash(directory)
    return found.stdout.strip() if found.ok and found.stdout.strip() else tree_hash(directory)


def tree_hash(directory: Path) -> str:
    """Return "tree:" and a hash over the names, modes and contents of all files."""
    return f"tree:{content_keys.tree(directory)}"
