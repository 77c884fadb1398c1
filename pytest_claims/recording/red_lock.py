"""``seen_red.json`` beside the sabotages: which check was last seen red by which sabotage, in which form."""

from __future__ import annotations

import json
import os
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pytest_claims import selection
from pytest_claims.faults import UsageError, unread

FILE = "seen_red.json"
FORM = r"^[0-9a-f]{16}$"


class Seen(BaseModel):
    """The form a check had when ``sabotage`` turned it red."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: str = Field(pattern=FORM)
    sabotage: str = Field(min_length=1)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1] = Field(alias="schema")
    checks: dict[str, Seen] = Field(default_factory=dict)
    sabotages: dict[str, str] = Field(default_factory=dict)


@dataclass
class RedLock:
    """Checks by node id, and the form in which each sabotage last turned a check red."""

    checks: dict[str, Seen] = field(default_factory=dict)
    sabotages: dict[str, str] = field(default_factory=dict)

    def by(self, nodeid: str, form: str) -> str:
        """Return the sabotage that turned a check red in this very form, "" if none did."""
        seen = self.checks.get(nodeid)
        return seen.sabotage if seen is not None and form and seen.form == form else ""

    def learn(self, sabotage: str, form: str, red: Mapping[str, str], tried: Container[str]) -> None:
        """Take in one sabotage that was tried: ``red`` are the checks it turned red, with their forms.

        A check of ``tried`` that it was known to turn red, and did not, is known no more.
        """
        for nodeid, seen in list(self.checks.items()):
            if seen.sabotage == sabotage and nodeid in tried and nodeid not in red:
                del self.checks[nodeid]
        for nodeid, now in red.items():
            if now and not self.by(nodeid, now):
                self.checks[nodeid] = Seen(form=now, sabotage=sabotage)
        if red:
            self.sabotages[sabotage] = form
        else:
            self.sabotages.pop(sabotage, None)

    def forget(self, claims: Container[str], checks: Container[str]) -> None:
        """Forget the checks of some claims that are not among ``checks``, all that there are of them."""
        self.checks = {
            key: each
            for key, each in self.checks.items()
            if key in checks or each.sabotage.partition("/")[0] not in claims
        }

    def prune(self, checks: Container[str], sabotages: Container[str]) -> None:
        """Forget checks and sabotages that there are no more."""
        self.checks = {
            key: each for key, each in self.checks.items() if key in checks and each.sabotage in sabotages
        }
        self.sabotages = {key: each for key, each in self.sabotages.items() if key in sabotages}


def read(directory: Path) -> RedLock:
    """Return the lock in ``directory``, an empty one where there is none; raises UsageError for a bad one."""
    path = directory / FILE
    if not selection.there(path):
        return RedLock()
    hint = "take it from version control, or remove it and try every sabotage"
    if not path.is_file():
        raise UsageError(f"{path} is no file", hint=hint)
    try:
        found = _checked(path.read_text())
    except (OSError, ValueError) as error:  # pydantic's among them
        raise UsageError(f"{path}: {unread(error)}", hint=hint) from error
    return RedLock(dict(found.checks), dict(found.sabotages))


@lru_cache(maxsize=8)
def _checked(text: str) -> _File:
    """Return what a lock says, which whoever reads it copies: a run reads a long one several times."""
    return _File.model_validate_json(text)


def write(directory: Path, lock: RedLock) -> Path:
    """Write the lock at once, sorted, a line for each entry, and return its path."""
    checks = {key: each.model_dump() for key, each in lock.checks.items()}
    parts = [f'"schema": 1,\n"checks": {_lines(checks)}', f'"sabotages": {_lines(lock.sabotages)}']
    path = directory / FILE
    part = path.with_name(f".{FILE}.{os.getpid()}")
    part.write_text("{\n" + ",\n".join(parts) + "\n}\n")
    return part.replace(path)


def _lines(entries: Mapping[str, object]) -> str:
    if not entries:
        return "{}"
    shown = (
        f"{json.dumps(key)}: {json.dumps(each, sort_keys=True)}" for key, each in sorted(entries.items())
    )
    return "{\n" + ",\n".join(shown) + "\n}"
