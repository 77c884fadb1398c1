"""What a subject is called in the sentences of the claims: its names, its user, its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from boxproof.core import own_claims

COMPRESSED, LAYER = 2_000_000_000, 500_000_000  # bytes, of the claims themselves


def of(subject: Path) -> dict[str, str]:
    """Return the words for a subject in a directory, by the names that the sentences have for them.

    Where its subject.toml does not say, a word is what any box has there, or "" for a clause that goes.
    Raises UsageError for a file that is no TOML.
    """
    told = own_claims.written(subject)
    image, budgets = _table(told, "image"), _table(told, "budgets")
    profiles = told.get("profiles")
    claude = isinstance(profiles, list) and "claude-code" in profiles
    kept = str(told.get("config_dir", ""))
    state = f"~/{PurePosixPath(kept).name}" if kept else "the directory of its state"
    return {
        "workload": str(told.get("workload") or "WORKLOAD"),
        "kind": str(told.get("kind") or "workload"),
        "uid": str(told.get("uid", 1000)),
        "state": state,
        "credentials": "`.credentials.json`" if claude else f"a file in {state}",
        "default_mode": str(told.get("default_mode") or "the first of them"),
        "base": _base(str(image.get("base", ""))),
        "sandbox": "in the sandbox" if _table(told, "sandbox").get("command") else "",
        "compressed": _tighter(budgets.get("compressed_bytes"), COMPRESSED),
        "layer": _tighter(budgets.get("layer_bytes"), LAYER),
        "context": _size(budgets.get("context_bytes")),
    }


def _table(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = told.get(name)
    return found if isinstance(found, dict) else {}


def _base(reference: str) -> str:
    """Return an image as people say it: ubuntu:24.04 is Ubuntu 24.04."""
    name, _, tag = reference.rpartition("/")[2].partition(":")
    return f"{name.capitalize()} {tag}".strip()


def _tighter(bound: object, claimed: int) -> str:
    """Return a bound of the subject's own where it is tighter than the claim's, else ""."""
    return _size(bound) if isinstance(bound, int) and bound < claimed else ""


def _size(count: object) -> str:
    """Return a number of bytes in the unit that people use, "" for none."""
    if not isinstance(count, int) or not count:
        return ""
    for unit, bytes_of in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= bytes_of:
            return f"{count / bytes_of:g} {unit}"
    return f"{count} bytes"
