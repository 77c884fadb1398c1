"""What the tests of bad input share: what is put in a file's place, and the one line that is said of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from boxproof.cli.main import command, explained

NAMED = "name = 'x'\n"
Content = str | bytes | Callable[[Path], None]


def told(capsys: pytest.CaptureFixture[str], words: Sequence[str]) -> tuple[int, str]:
    """Return code and the one line that the real command line says of ``words``."""
    code = explained(lambda: command(words))
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert said.out == ""
    assert line.startswith("boxproof: ")
    assert len(line) < 700
    return code, line


def a_directory(path: Path) -> None:
    """Put a directory in the place of a file."""
    path.mkdir()


def a_loop(path: Path) -> None:
    """Put a link to itself in the place of a file."""
    path.symlink_to(path.name)


def a_dangling_link(path: Path) -> None:
    """Put a link to nothing in the place of a file."""
    path.symlink_to("nowhere")


def a_pipe(path: Path) -> None:
    """Put a pipe that nobody writes to in the place of a file."""
    os.mkfifo(path)


def a_device(path: Path) -> None:
    """Put a device without an end in the place of a file."""
    path.symlink_to("/dev/zero")


def a_huge_file(path: Path) -> None:
    """Write a file of a gigabyte that takes no room."""
    with path.open("wb") as file:
        file.truncate(1 << 30)


def box(root: Path, files: Mapping[str, Content]) -> Path:
    """Write a box of these files, each a text, bytes, or what is put in its place."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            content(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root
