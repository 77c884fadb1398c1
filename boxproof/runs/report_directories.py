"""Directories of reports: each is its own; old ones go, but never the latest, accepted, or under way."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from boxproof.core.settings import Settings
from boxproof.reports import matrix_results
from boxproof.runs import ownership
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault
from pytest_claims.reports import history, results

STAMP = "%Y%m%dT%H%M%S"
NAME = re.compile(r"\d{8}T\d{6}(-[0-9a-f]{6})?")  # of a run's directory; nothing else is ever removed


def new(parent: Path, started: datetime | None = None, *, shared: bool = False) -> Path:
    """Make the directory of a report below ``parent`` and return it; raises EnvironmentFault.

    It is named by its second; where another began in that second, or may elsewhere as it is ``shared``, by
    six digits more.
    """
    moment = (started or datetime.now(UTC)).strftime(STAMP)
    own = parent / f"{moment}-{secrets.token_hex(3)}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            if not shared:
                (parent / moment).mkdir()
                return parent / moment
        own.mkdir()
    except OSError as error:
        hint = "free space or set BOXPROOF_REPORTS"
        raise EnvironmentFault(f"cannot write reports: {error}", hint=hint) from error
    return own


def prune(settings: Settings, now: datetime | None = None) -> list[str]:
    """Remove what is beyond ``reports_kept`` or older than ``reports_days``; return the names of the runs."""
    moment = now or datetime.now(UTC)
    found = sorted((each for each in settings.reports.iterdir() if NAME.fullmatch(each.name)), reverse=True)
    found = [each for each in found if each.is_dir() and not each.is_symlink()]
    kept = {each.name for each in spared(settings, found)}
    oldest = moment - timedelta(days=settings.reports_days)
    removed = []
    for place, directory in enumerate(found):
        old = datetime.strptime(directory.name[:15], STAMP).replace(tzinfo=UTC) < oldest
        if directory.name not in kept and (old or place >= settings.reports_kept):
            shutil.rmtree(directory)
            removed.append(directory.name)
    if removed:
        progress.say(f"{len(removed)} old reports removed (BOXPROOF_REPORTS_KEPT, BOXPROOF_REPORTS_DAYS)")
    return removed


def spared(settings: Settings, found: Iterable[Path]) -> list[Path]:
    """Return what is never removed: the latest report, the last accepted one, and those under way."""
    latest = (settings.reports / "latest").resolve()
    line = history.last_accepted(history.read(settings.state / history.LINES))
    accepted = line.run if line else ""
    whole = [each for each in found if _accepted(each)][:1]
    names = {accepted, *(each.run for each in ownership.runs(settings) if each.alive)}
    return [each for each in found if each in (latest, *whole) or each.name in names]


def _accepted(directory: Path) -> bool:
    """Return whether a run, or a matrix, was accepted; what cannot be read was not."""
    try:
        if (directory / matrix_results.FILE).is_file():
            return matrix_results.read(directory).verdict == "accepted"
        found = results.read(directory / results.FILE)
    except (OSError, ValueError):
        return False
    return found.verdict == "accepted" and not found.narrowed
