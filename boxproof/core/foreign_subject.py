"""A subject that is somebody else's: its own claims, and what root carries out of it.

A run carries out a subject's commands, builds its image and applies its manifests. As another user it may
do what that user may; as root whoever can write to the directory is root on the machine.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from boxproof.core import settings as settings_module
from boxproof.core.settings import OWNER, ROOT, Settings
from pytest_claims import selection
from pytest_claims.faults import UsageError

HINT = "read what is in it, then give --trust-subject (BOXPROOF_TRUST_SUBJECT=1), or run as another user"
COMPRESSED, LAYER = 2_000_000_000, 500_000_000  # bytes, of the claims themselves


def trusted(settings: Settings) -> Path:
    """Return the subject's directory; raises UsageError where it is a stranger's and root is to run it.

    What a check of a run carries out is that run's own copy: the run has asked.
    """
    directory = settings.subject
    if not settings.trust_subject and not settings_module.session_file():
        why = stranger(directory)
        if why:
            raise UsageError(f"as root, what {directory} says would be run, and {why}", hint=HINT)
    return directory


def stranger(directory: Path) -> str:
    """Return why a subject is not root's own, "" where it is, or where we are not root.

    The checkout that this program runs from is what root has chosen already.
    """
    if os.geteuid() != 0 or directory.is_relative_to(ROOT):
        return ""
    own = settings_module.users_own()
    above = (directory, *directory.parents)
    tops = [each for each in above if selection.exists(each / ".git")][:1]
    found = (_not_own(each, own) for each in dict.fromkeys((directory, directory / OWNER, *tops)))
    return next(filter(None, found), "")


def variables(directory: Path) -> dict[str, str]:
    """Return the variable by which commands take a copy that a check made for what it is: its own."""
    return {"BOXPROOF_TRUST_SUBJECT": "1"} if stranger(directory) else {}


def _not_own(path: Path, own: frozenset[int]) -> str:
    """Return what makes a directory or a plain file another's: its owner, or that anyone may write to it."""
    try:
        found = path.stat()
    except (OSError, ValueError):  # what it lacks is told by whoever reads it
        return ""
    if not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
        return ""
    if found.st_uid not in own:
        return f"{path} belongs to the user {found.st_uid}"
    return f"anyone may write to {path}" if found.st_mode & stat.S_IWOTH else ""


def proof_table(subject: Path) -> dict[str, Any]:
    """Return the table ``proof`` of the subject in a directory, {} without one; raises UsageError."""
    path = subject / OWNER
    told = claims_written(subject).get("proof", {})
    if not isinstance(told, dict):
        raise UsageError(f"{path}: proof is no table", hint="write [proof]")
    return told


def claims_written(subject: Path) -> dict[str, Any]:
    """Return what stands in the subject.toml of a directory, {} without one; raises UsageError."""
    path = subject / OWNER
    return selection.read_toml(path, str(path)) if selection.there(path) else {}


def own_ids(subject: Path) -> list[str]:
    """Return the ids of the subject's own claims, unchecked."""
    told = proof_table(subject)
    return selection.ids(subject / str(told.get("claims", "proof/claims"))) if told else []


def words_of(subject: Path) -> dict[str, str]:
    """Return the words for a subject in a directory, by the names that the sentences have for them.

    Where its subject.toml does not say, a word is what any box has there, or "" for a clause that goes.
    Raises UsageError for a file that is no TOML.
    """
    told = claims_written(subject)
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
