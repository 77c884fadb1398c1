"""Which claims ``--claims`` names, by their ids alone: so a mistake is seen before anything is imported."""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

from pytest_claims.faults import UsageError, nearest


def ids(directory: Path) -> list[str]:
    """Return the ids in the files of claims, unchecked; raises UsageError for a file that is no TOML."""
    found: list[str] = []
    for path in sorted(directory.glob("*.toml")):
        try:
            parsed = tomllib.loads(path.read_text())
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{path.name}: {error}") from error
        found += [str(each.get("id", "")) for each in parsed.get("claim", ())]
    return found


def select(patterns: Sequence[str], known: Iterable[str]) -> tuple[str, ...]:
    """Return those of the ``known`` ids that ``patterns`` name (ids and globs, also comma-separated).

    No pattern selects everything. Raises UsageError for a pattern that matches nothing.
    """
    every = list(known)
    words = [word.strip() for each in patterns for word in each.split(",")]
    if not patterns:
        return tuple(every)
    if not any(words):
        raise UsageError("--claims selects nothing", hint="give ids or globs, for example 'netpol-*'")
    chosen: set[str] = set()
    for word in filter(None, words):
        matched = fnmatch.filter(every, word)
        if not matched:
            raise unknown(word, every, "--claims")
        chosen.update(matched)
    return tuple(each for each in every if each in chosen)


def unknown(name: str, known: Iterable[str], where: str = "") -> UsageError:
    """Return the error for an id that does not exist, with the nearest one."""
    place = f" in {where}" if where else ""
    return UsageError(f"unknown claim {name!r}{place}", hint=_nearest(name, list(known)))


def _nearest(word: str, known: list[str]) -> str:
    bare = word.rstrip("*?").rstrip("-")
    if bare != word:  # a glob: compare its fixed start with starts of the same length
        starts = sorted({f"{each.split('-')[0]}-*" for each in known})
        return nearest(f"{bare}-*", starts)
    hint = nearest(word, known)
    return hint if hint.startswith("did you mean") else "see claims/*.toml for the ids"
