"""What the workers leave in the run directory: one JSON file a check, and the list of all collected."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, StrictBool

from pytest_claims.recording import redaction, writing
from pytest_claims.verdicts import Verdict

CHECKS, EVIDENCE = "checks", "evidence"
COLLECTED = "collected.json"
FAULTS = "collection-faults.json"
LACKING, LATER = "lacking.json", "later.json"
USAGE = "usage-error.json"


class Seen(BaseModel):
    """One recorded observation."""

    model_config = ConfigDict(frozen=True)

    kind: str
    asked: str
    answer: Any
    in_control: StrictBool = False
    control: str = ""


class Shown(BaseModel):
    """The observation in a control of which a requirement did not hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    control: str
    asked: str
    answer: Any


class Asserted(BaseModel):
    """A requirement as it was asserted of the subject, beside the control in which it was seen to fail."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sentence: str
    kind: str
    asked: str
    answer: Any
    held: StrictBool
    shown: Shown | None = None


class Record(BaseModel):
    """One check's report; ``state`` is "started" until it has ended. Evidence is relative to the run.

    ``started`` is when its turn came. ``slowness`` is how many times slower than an idle one the machine was
    at the slowest moment seen. ``carried`` is the run that proved it, where that was an earlier one.
    ``processors`` are the seconds of processors that its worker and what that started took,
    ``processors_around`` those of what works for all checks, such as the nodes, in that time.
    """

    nodeid: str
    claims: tuple[str, ...]
    line: int = 0  # of its file, where it begins; 0 is not known
    state: str = "started"
    verdict: Verdict = Verdict.BLOCKED
    reason: str = ""
    seconds: float = 0.0
    started: datetime | None = None
    ended: datetime | None = None
    controls: int = 0
    failed_controls: tuple[str, ...] = ()
    observations: tuple[Seen, ...] = ()
    requirements: tuple[Asserted, ...] = ()
    evidence: tuple[str, ...] = ()
    worker: str = ""
    slowness: float = 1.0
    processors: float = 0.0
    processors_around: float = 0.0
    form: str = ""
    by_requirements: StrictBool = True
    red: str = ""
    carried: str = ""

    @property
    def shown_red(self) -> bool:
        """Whether what it proves by turned it red: its own requirement, in its body; no control failed."""
        own = self.red == "requirement" or (self.red == "assertion" and not self.by_requirements)
        return self.verdict is Verdict.REFUTED and own and not self.failed_controls


def clear(run: Path) -> None:
    """Remove what an earlier run left in a directory that a new one begins in."""
    if not run.is_dir():
        return
    for name in (CHECKS, EVIDENCE):
        shutil.rmtree(run / name, ignore_errors=True)
    for name in (COLLECTED, FAULTS, LACKING, LATER, USAGE):
        (run / name).unlink(missing_ok=True)


def name_of(nodeid: str) -> str:
    """Return the file name of a check: readable, and unique by a hash."""
    bare = re.sub(r"\W+", "-", redaction.text(nodeid.rpartition("::")[2])).strip("-")[:60]
    return f"{bare}-{hashlib.sha256(nodeid.encode()).hexdigest()[:10]}"


def write_json(path: Path, data: object) -> None:
    """Write ``data`` without secrets to ``path`` at once: a reader sees the old file or the whole new one."""
    writing.write_json(path, data)


def save(run: Path, record: Record) -> None:
    """Write the record of one check."""
    write_json(run / CHECKS / f"{name_of(record.nodeid)}.json", record.model_dump(mode="json"))


def load_names(run: Path) -> list[str]:
    """Return the files of the checks that have begun."""
    return sorted(path.name for path in (run / CHECKS).glob("[!.]*.json"))


def load(run: Path) -> dict[str, Record]:
    """Return the records of a run by node id."""
    found = (Record.model_validate_json(path.read_text()) for path in (run / CHECKS).glob("[!.]*.json"))
    return {each.nodeid: each for each in sorted(found, key=lambda each: each.nodeid)}


def save_collected(run: Path, checks: Mapping[str, Iterable[str]]) -> None:
    """Write which checks were collected, with their claims."""
    write_json(run / COLLECTED, {key: list(value) for key, value in checks.items()})


def collected(run: Path) -> dict[str, list[str]]:
    """Return the collected checks with their claims; none before collection."""
    return {str(key): list(value) for key, value in dict(_read(run / COLLECTED, {})).items()}


def save_faults(run: Path, faults: Iterable[str]) -> None:
    """Write why some suites could not be collected."""
    write_json(run / FAULTS, list(faults))


def faults(run: Path) -> list[str]:
    """Return why some suites could not be collected."""
    return list(_read(run / FAULTS, []))


def save_lacking(run: Path, claims: Mapping[str, str]) -> None:
    """Write which claims have a check that is not about this subject, and why."""
    write_json(run / LACKING, [list(each) for each in claims.items()])  # an id is no name of a secret


def lacking(run: Path) -> dict[str, str]:
    """Return which claims have a check that is not about this subject, and why."""
    return dict(_read(run / LACKING, []))


def save_later(run: Path, claims: Mapping[str, str]) -> None:
    """Write which claims have a check that is left to a later run, and why."""
    write_json(run / LATER, [list(each) for each in claims.items()])


def later(run: Path) -> dict[str, str]:
    """Return which claims have a check that is left to a later run, and why."""
    return dict(_read(run / LATER, []))


def save_usage(run: Path, message: str, hint: str) -> None:
    """Write a usage error that a worker found while collecting."""
    write_json(run / USAGE, [message, hint])


def usage(run: Path) -> tuple[str, str] | None:
    """Return the usage error that a worker found, as message and hint."""
    found = _read(run / USAGE, None)
    return (found[0], found[1]) if found else None


def _read(path: Path, default: Any) -> Any:
    return json.loads(path.read_text()) if path.is_file() else default
