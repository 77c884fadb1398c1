"""What a verdict was about, by content: directories as they lie there, also files git does not know."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
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
    total, start = hashlib.sha256(), len(os.path.join(root, ""))  # noqa: PTH118
    for path in paths:
        for each in _names(path, root, but):
            mode = os.lstat(each).st_mode
            total.update(f"{each[start:] or '.'}\0{mode:o}\0".encode())
            content = os.fsencode(os.readlink(each)) if stat.S_ISLNK(mode) else _content(each)  # noqa: PTH115
            total.update(hashlib.sha256(content).digest())
    return total.hexdigest()[:DIGITS]


def _content(name: str) -> bytes:
    with open(name, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read()


def files(directory: Path, but: Path | None = None) -> list[Path]:
    """Return every file and link that ``tree`` looks at; ``but`` another directory than this is left out."""
    return [Path(each) for each in _names(directory, directory, None if but == directory else but)]


def _names(path: Path, root: Path, but: Path | None) -> list[str]:
    """Return the files and links below ``path`` as strings: to make thousands of paths takes much longer."""
    if path.is_symlink() or path.is_file():
        return [str(path)]
    return list(_below(str(path), str(root), str(but)))


def _below(directory: str, root: str, but: str) -> Iterator[str]:
    """Yield files and links of a directory by name, then those of each directory in it."""
    left_out = LEFT_OUT | {REPORTS} if directory == root else LEFT_OUT
    try:
        with os.scandir(directory) as found:
            entries = sorted(found, key=lambda each: each.name)
    except OSError:  # what nobody may read is passed over
        return
    inner = [each for each in entries if each.is_dir()]
    inner = [each for each in inner if each.name not in left_out and each.path != but]
    links = {each.name for each in inner if each.is_symlink()}
    for each in entries:
        file = each.name != red_lock.FILE and not each.is_dir() and (each.is_symlink() or each.is_file())
        if file or each.name in links:
            yield each.path
    for each in inner:
        if not each.is_symlink():
            yield from _below(each.path, root, but)
