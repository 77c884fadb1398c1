"""A pytest run that is a run of its own: its directory, and the report it leaves."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_claims.project import RunContext

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


def report(
    context: RunContext, selected: list[str], *, started: datetime, interrupted: bool
) -> tuple[str, Path]:
    """Write results.json, the page, JUnit and Allure results; return the verdict and the page's path."""
    from pytest_claims.reports import history, pages, results

    found = results.collect(context, selected=selected, started=started, interrupted=interrupted)
    history.keep(context.directory.parent / history.LINES, found, context.directory)
    page = pages.write(context.directory, context.project)
    if not found.narrowed:
        results.point_latest(context.directory)
    return found.verdict, page
