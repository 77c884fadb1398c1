"""What a subject's runbooks tell people to run on a node."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

BLOCK = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
FORCED = re.compile(r"^[^#]*\bcrictl\b.*\brmp?\b.*(\s-\w*f\w*|\s--force)\b", re.MULTILINE)
GRACEFUL = re.compile(r"\bkubectl\b.*\bdelete\b.*\bpod\b")
BY_HAND = re.compile(r"crictl stop|remove\.sh|inv remove-container")


def commands(text: str) -> str:
    """Return the command blocks of a Markdown text."""
    return "".join(BLOCK.findall(text))


def removing(directory: Path) -> list[str]:
    """Return the documents that say how to remove a container on its node."""
    return [name for name, text in _documents(directory) if BY_HAND.search(text)]


def mistakes(directory: Path) -> list[str]:
    """Return "FILE: mistake" for each removal by force, and each runbook that puts one before kubectl."""
    found = [
        f"{path.name}: removes by force" for path in _scripts(directory) if FORCED.search(path.read_text())
    ]
    for name, text in _documents(directory):
        if FORCED.search(text):
            found.append(f"{name}: removes by force")
        by_hand, graceful = BY_HAND.search(text), GRACEFUL.search(text)
        if by_hand and (graceful is None or graceful.start() > by_hand.start()):
            found.append(f"{name}: removes on the node before kubectl is tried")
    return found


def _documents(directory: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((directory / "docs").glob("*.md")):
        yield path.name, commands(path.read_text())


def _scripts(directory: Path) -> list[Path]:
    return sorted((directory / "manifests").rglob("*.sh"))
