"""Everything in a subject that hides a finding from a scanner, and what each such entry lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from boxproof.subject.supply_chain import scan
from pytest_claims.faults import UsageError

REASON = re.compile(r"#\s*(?P<reason>\S.{9,}?)\s+until\s+(?P<until>\d{4}-\d{2}-\d{2})\s*$")
IGNORE_FILES = (".trivyignore",)
CONFIGURATIONS = (".grype.yaml", ".grype/config.yaml", ".trivyignore.yaml", "trivy.yaml", "grype.yaml")
LISTS = ("ignore", "vulnerabilities", "ignore-policy", "ignorefile")


def unjustified(directory: Path, today: date | None = None) -> list[str]:
    """Return "FILE: entry" for each suppression in a directory or its image's without reason and end."""
    now = today or datetime.now(UTC).date()
    return sorted(each for place in (directory, directory / "image") for each in _in(place, now))


def _in(place: Path, now: date) -> Iterator[str]:
    try:
        scan.suppressions(place / scan.SUPPRESSIONS, now)
    except UsageError as error:
        yield f"{scan.SUPPRESSIONS}: {error.message.splitlines()[0]}"
    for name in IGNORE_FILES:
        if (place / name).is_file():
            yield from (f"{name}: {each}" for each in _bare(place / name, now))
    for name in CONFIGURATIONS:  # their entries have no room for a reason that a scanner heeds
        if (place / name).is_file():
            found: dict[str, Any] = yaml.safe_load((place / name).read_text()) or {}
            yield from (f"{name}: {each}: {found[each]}" for each in LISTS if found.get(each))


def _bare(path: Path, now: date) -> Iterator[str]:
    """Yield the entries that no comment "reason until YYYY-MM-DD" right above covers today."""
    above = ""
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            told = REASON.match(above)
            if not told or date.fromisoformat(told["until"]) < now:
                yield line.strip()
        above = line
