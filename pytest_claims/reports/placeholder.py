"""The report of a run that is under way, or whose own could not be written: it says blocked."""

from __future__ import annotations

import html
import shutil
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pytest_claims.project import RunContext
from pytest_claims.recording import records, writing
from pytest_claims.reports import results
from pytest_claims.reports.schema import Cell, Counts, Image, Results, SubjectPart

PAGE = "index.html"
UNDER_WAY = "the run has not ended, or was ended before it could report"


def begin(context: RunContext, *, started: datetime, latest: bool, selected: Sequence[str] = ()) -> str:
    """Leave a report that says blocked until there is a better one; return what ``latest`` was before.

    With ``latest`` the link shows it from now on: never the verdict of an older run.
    """
    _write(context, _made(context, UNDER_WAY, started, selected))
    return results.point_latest(context.directory) if latest else ""


def failed(
    context: RunContext,
    reason: str,
    *,
    started: datetime,
    selected: Sequence[str] = (),
    interrupted: bool = False,
) -> Results:
    """Put a report that says blocked, and why, in the place of one that could not be written whole.

    Where there is no room for that either, the one of ``begin`` or none at all is left, and nothing raised.
    """
    for name in (results.FILE, PAGE):  # first: they say what does not hold, and take up room
        (context.directory / name).unlink(missing_ok=True)
    found = _made(context, reason, started, selected).model_copy(update={"interrupted": interrupted})
    with suppress(OSError):
        _write(context, found)
    return found


def withdraw(context: RunContext, before: str) -> bool:
    """Remove the report of a run that was wrongly asked for, and point ``latest`` back to ``before``.

    A run whose checks have begun keeps what they left: returns False and does nothing.
    """
    if records.load_names(context.directory):
        return False
    shutil.rmtree(context.directory, ignore_errors=True)
    results.point_back(context.directory, before)
    return True


def _write(context: RunContext, found: Results) -> None:
    results.write(context.directory / results.FILE, found)
    said = html.escape(found.fault)
    text = f"<!doctype html><meta charset=utf-8><title>blocked</title><h1>blocked</h1><p>{said}"
    writing.write_page(context.directory / PAGE, text + "\n")


def _made(context: RunContext, reason: str, started: datetime, selected: Sequence[str]) -> Results:
    facts = context.facts
    return Results(
        run=context.run,
        started=started,
        finished=datetime.now(UTC),
        verdict="blocked",
        narrowed=bool(selected),
        interrupted=False,
        counts=Counts(),
        subject=facts.get("subject")
        or SubjectPart(name=Path(context.project.root).name, source="", image=Image()),
        cell=facts.get("cell") or Cell(),
        packages=facts.get("packages"),
        claims=(),
        timings={},
        fault=reason,
    )
