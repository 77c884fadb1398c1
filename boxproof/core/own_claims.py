"""What a subject says of claims of its own: the table ``proof`` of subject.toml, read without pydantic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boxproof.core.settings import OWNER
from pytest_claims import selection
from pytest_claims.faults import UsageError


def table(subject: Path) -> dict[str, Any]:
    """Return the table ``proof`` of the subject in a directory, {} without one; raises UsageError."""
    path = subject / OWNER
    told = written(subject).get("proof", {})
    if not isinstance(told, dict):
        raise UsageError(f"{path}: proof is no table", hint="write [proof]")
    return told


def written(subject: Path) -> dict[str, Any]:
    """Return what stands in the subject.toml of a directory, {} without one; raises UsageError."""
    path = subject / OWNER
    return selection.read_toml(path, str(path)) if selection.there(path) else {}


def ids(subject: Path) -> list[str]:
    """Return the ids of the subject's own claims, unchecked."""
    told = table(subject)
    return selection.ids(subject / str(told.get("claims", "proof/claims"))) if told else []
