"""What a subject's documents say in tables."""

from __future__ import annotations

import re
from pathlib import Path

WORDS = re.compile(r"[^\s|,;`()]+")


def rows(directory: Path) -> list[set[str]]:
    """Return the words of each row of each table in README.md and docs, without punctuation around them."""
    pages = [directory / "README.md", *sorted((directory / "docs").rglob("*.md"))]
    lines = (line for page in pages if page.is_file() for line in page.read_text().splitlines())
    return [set(WORDS.findall(line)) for line in lines if line.lstrip().startswith("|")]
