"""A pytest run that is a run of its own: its directory, and the report it leaves."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_claims.project import RunContext
from pytest_claims.recording import records

RUN = "claims_run"  # in what xdist hands to a worker


def context(config: pytest.Config) -> RunContext:
    """Return the run of this process; a worker's is that of the process which started it."""
    from pytest_claims.plugin import project

    given = getattr(config, "workerinput", {}).get(RUN)
    run = given or config.getini("run_name") or f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}"
    directory = config.rootpath / config.getini("reports_dir") / run
    waivers = config.rootpath / config.getini("waivers_dir")
    return RunContext(
        run=run, directory=directory, project=project(config), waivers=waivers, locks=directory / "locks",
        alone=True,
    )  # fmt: skip


def begin(context: RunContext, selected: list[str], *, started: datetime) -> str:
    """Leave a report that says blocked until ``report`` writes a better one; return what was the latest.

    In a directory whose name was given, nothing is left of an earlier run: its records would be this one's.
    """
    from pytest_claims.reports import placeholder

    records.clear(context.directory)
    return placeholder.begin(context, started=started, latest=not selected, selected=selected)


def withdraw(context: RunContext, before: str) -> None:
    """Remove the report of a run that was wrongly asked for, unless checks have begun."""
    from pytest_claims.reports import placeholder

    placeholder.withdraw(context, before)


def unreported(
    context: RunContext, reason: str, selected: list[str], *, started: datetime
) -> tuple[str, Path]:
    """Leave a report that says blocked, and why, where the run's own cannot be written."""
    from pytest_claims.reports import placeholder

    found = placeholder.failed(context, reason, started=started, selected=selected)
    return found.verdict, context.directory / placeholder.PAGE


def report(
    context: RunContext, selected: list[str], *, started: datetime, interrupted: bool, fault: str = ""
) -> tuple[str, Path]:
    """Write results.json, the page, JUnit and Allure results; return the verdict and the page's path.

    ``fault`` says why pytest came to no proper end.
    """
    from pytest_claims.reports import history, pages, results

    found = results.collect(
        context,
        results.Judging(selected=selected, started=started, interrupted=interrupted, fault=fault),
    )
    history.keep(context.directory.parent / history.LINES, found, context.directory)
    page = pages.write(context.directory, context.project)
    if not found.narrowed:
        results.point_latest(context.directory)
    return found.verdict, page
