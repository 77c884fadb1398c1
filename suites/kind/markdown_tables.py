"""What a subject's documents say in tables."""

from __future__ import annotations

import re
from pathlib import Path

WORDS = re.compile(r"[^\s|,;`()]+")


def rows(directory: Path) -> list[set[str]]:
    """Return the words of each row of each table in README.md and docs, without punctuation around them."""
    pages = [directory / "README.md", *sorted((directory / "docs").rglob("*.md"))]
    texts = (page.read_text(errors="replace") for page in pages if page.is_file())
    lines = (line for text in texts for line in text.splitlines())
    return [set(WORDS.findall(line)) for line in lines if line.lstrip().startswith("|")]


KIND, CONTAINERD = re.compile(r"0\.\d+\.\d+"), re.compile(r"[1-9]\.\d+\.\d+")


def pairs(directory: Path) -> set[tuple[str, str]]:
    """Return the versions of KIND and containerd that stand together in a row of a table."""
    return {
        (kind, containerd)
        for row in rows(directory)
        for kind in filter(KIND.fullmatch, row)
        for containerd in filter(CONTAINERD.fullmatch, row)
    }
