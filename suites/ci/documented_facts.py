"""What a subject's documents have to state: where each fact stands, and whether its commands run."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pytest_claims.faults import UsageError

HEADING = re.compile(r"^(#+) (.+?)\s*$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
RUN = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
Run = Callable[[str], str]  # a block of commands -> "" or why it failed


class Fact(BaseModel):
    """One fact: a section of a document that has these words and a block of commands that runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    says: str = Field(min_length=1)
    document: str
    section: str
    words: tuple[str, ...] = Field(min_length=1)


def load(path: Path) -> list[Fact]:
    """Return the facts listed in ``path``; raises UsageError for a mistake in it."""
    try:
        return [Fact.model_validate(each) for each in tomllib.loads(path.read_text()).get("fact", [])]
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise UsageError(f"{path}: {error}") from error


def lacking(directory: Path, fact: Fact, run: Run) -> str:
    """Return what a fact lacks in a directory's documents, "" if it is stated and its commands run."""
    path = directory / fact.document
    text = section(path.read_text(errors="replace"), fact.section) if path.is_file() else None
    if text is None:
        return f"no section {fact.section!r} in {fact.document}"
    flat = " ".join(text.split())
    unsaid = [each for each in fact.words if each not in flat]
    if unsaid:
        return f"{fact.document}, {fact.section!r} does not say {', '.join(map(repr, unsaid))}"
    blocks = RUN.findall(text)
    if not blocks:
        return f"{fact.document}, {fact.section!r} has no command to run"
    return next((why for each in blocks if (why := run(each))), "")


def section(text: str, heading: str) -> str | None:
    """Return a section of a Markdown text with its subsections, None if there is none of that heading."""
    code = [(found.start(), found.end()) for found in FENCE.finditer(text)]
    headings = [each for each in HEADING.finditer(text) if not any(a <= each.start() < b for a, b in code)]
    for number, each in enumerate(headings):
        if each[2] == heading:
            later = (one.start() for one in headings[number + 1 :] if len(one[1]) <= len(each[1]))
            return text[each.end() : next(later, len(text))]
    return None
