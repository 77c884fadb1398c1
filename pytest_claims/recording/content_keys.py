"""What a verdict was about, by content: directories as they lie there, also files git does not know."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from pytest_claims.recording import red_lock

LEFT_OUT = frozenset({".git", ".venv", ".nox", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"})
REPORTS = "reports"  # at the top alone: below it may be a package of that name
DIGITS = 16


def tree(directory: Path, but: Path | None = None) -> str:
    """Return a digest over names, modes and contents of all files; reports and the red lock are left out.

    Also of a single file; ``but`` is a directory in it that is left out.
    """
    return _digest([directory], directory, but)


def several(paths: Iterable[Path], root: Path) -> str:
    """Return one digest over files and directories below ``root``."""
    return _digest(sorted(paths), root)


def _digest(paths: Iterable[Path], root: Path, but: Path | None = None) -> str:
    total = hashlib.sha256()
    for path in paths:
        for each in _files(path, root, but):
            total.update(f"{each.relative_to(root)}\0{each.lstat().st_mode:o}\0".encode())
            content = os.fsencode(each.readlink()) if each.is_symlink() else each.read_bytes()
            total.update(hashlib.sha256(content).digest())
    return total.hexdigest()[:DIGITS]


def files(directory: Path, but: Path | None = None) -> list[Path]:
    """Return every file and link that ``tree`` looks at; ``but`` another directory than this is left out."""
    return _files(directory, directory, None if but == directory else but)


def _files(path: Path, root: Path, but: Path | None) -> list[Path]:
    if path.is_symlink() or path.is_file():
        return [path]
    found = []
    for below, directories, names in os.walk(path):
        here = Path(below)
        left_out = LEFT_OUT | ({REPORTS} if here == root else set())
        directories[:] = sorted(each for each in set(directories) - left_out if here / each != but)
        links = [each for each in directories if (here / each).is_symlink()]
        every = sorted(name for name in (*names, *links) if name != red_lock.FILE)
        found += [here / name for name in every if (here / name).is_symlink() or (here / name).is_file()]
    return found
