"""Which state of a subject was under test."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from boxproof.core.process import run
from pytest_claims.faults import EnvironmentFault

LEFT_OUT = frozenset(
    {".git", ".venv", ".nox", "reports", "__pycache__", "node_modules", ".mypy_cache", ".ruff_cache"}
)


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
    total = hashlib.sha256()
    for root, directories, files in os.walk(directory):
        directories[:] = sorted(set(directories) - LEFT_OUT)
        for name in sorted(files):
            path = Path(root, name)
            total.update(f"{path.relative_to(directory)}\0{path.lstat().st_mode:o}\0".encode())
            content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
            total.update(hashlib.sha256(content).digest())
    return f"tree:{total.hexdigest()[:16]}"
