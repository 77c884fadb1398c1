"""Which claims ``--claims`` names, by their ids alone: so a mistake is seen before anything is imported."""

from __future__ import annotations

import copy
import fnmatch
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from pytest_claims.faults import UsageError, nearest

LARGEST = 16 << 20  # bytes of a file that people write
CLAIM = re.compile(r"[a-z0-9]+(-[a-z0-9*?]+)+")  # how an id, or a glob of ids, looks


def read_toml(path: Path, shown: str = "") -> dict[str, Any]:
    """Return the content of a TOML file; raises UsageError, beginning with ``shown`` or its name."""
    name = shown or path.name
    try:
        return copy.deepcopy(_parsed(_content(path, name).decode("utf-8-sig")))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name}: {error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not UTF-8: byte {error.start}", hint="save it as UTF-8") from error
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from error
    except (RecursionError, ValueError) as error:  # of a number with thousands of digits
        raise UsageError(f"{name}: a value is nested too deep, or too large") from error


@lru_cache(maxsize=256)
def _parsed(text: str) -> dict[str, Any]:
    """Return what a TOML text says; each reader gets a copy of its own."""
    return tomllib.loads(text)


def there(path: Path) -> bool:
    """Return whether anything has this name: a link that leads nowhere is a mistake, not an absent file."""
    return os.path.lexists(path)


def is_file(path: Path) -> bool:
    """Return whether it is a plain file, as ``Path`` does, which raises for a name too long or a loop."""
    return os.path.isfile(path)  # noqa: PTH113


def is_directory(path: Path) -> bool:
    """Return whether it is a directory, whatever somebody has typed for it."""
    return os.path.isdir(path)  # noqa: PTH112


def exists(path: Path) -> bool:
    """Return whether something is there, at the end of any link, whatever somebody has typed for it."""
    return os.path.exists(path)  # noqa: PTH110


def _content(path: Path, name: str) -> bytes:
    found = path.stat()
    if stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode):
        if found.st_size > LARGEST:
            raise UsageError(f"{name} has {found.st_size} bytes", hint=f"at most {LARGEST}")
        return path.read_bytes()
    raise UsageError(f"{name} is no file", hint="put a file in its place, not a pipe or a device")


def ids(directory: Path) -> list[str]:
    """Return the ids in the files of claims, unchecked; raises UsageError for a file that is no TOML."""
    found: list[str] = []
    for path in sorted(directory.glob("*.toml")):
        listed = read_toml(path).get("claim", ())
        listed = listed if isinstance(listed, list) else ()  # what is wrong with it is told by who checks it
        found += [str(each.get("id", "")) for each in listed if isinstance(each, dict)]
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
    every, place = list(known), f" in {where}" if where else ""
    if fnmatch.filter(every, name):  # where one is asked for
        return UsageError(f"{name!r}{place} names several claims", hint="give one id; no globs here")
    hint = _nearest(name, every) if where in ("", "--claims") else _nearest_id(name, every)
    return UsageError(f"unknown claim {short(name)!r}{place}", hint=hint)


def short(word: str, most: int = 80) -> str:
    """Return a word as an error shows it: a long one is cut."""
    return word if len(word) <= most else f"{word[:most]}…"


def _nearest(word: str, known: list[str]) -> str:
    if set(word) & set("*?[]"):
        return _nearest_glob(word, known)
    return _nearest_id(word, known)


def _nearest_id(word: str, known: list[str]) -> str:
    hint = nearest(word, known)
    return hint if hint.startswith("did you mean") else "see claims/*.toml for the ids"


def _nearest_glob(word: str, known: list[str]) -> str:
    """Return the nearest start for a glob that matches nothing."""
    bare = re.split(r"[*?\[]", word)[0].rstrip("-")
    starts = sorted({f"{each.split('-')[0]}-*" for each in known})
    hint = nearest(f"{bare}-*", starts)
    return hint if hint.startswith("did you mean") else "see claims/*.toml for the ids"
