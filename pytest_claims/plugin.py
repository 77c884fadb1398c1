"""The pytest plugin: silent in a run whose ini names no claims, else the engine with its hooks.

Ini options, relative to the root directory: ``claims_dir`` (TOML files; nothing happens without it),
``sabotage_dir``, ``waivers_dir``, ``durations_dir`` and ``reports_dir``. ``claims_observed_areas`` are the
areas in which a check may still prove without requirements; ``claims_seen_red`` is "required" or "reported".
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import datetime

import pytest

from pytest_claims.concurrency.scopes import Scope
from pytest_claims.project import Project, RunContext
from pytest_claims.recording.check import Evidence

INI = {
    "claims_dir": ("", "directory of claims/*.toml; without it pytest_claims does nothing"),
    "sabotage_dir": ("sabotage", "directory of the sabotages, *.py"),
    "waivers_dir": (".", "directory of waivers.toml and planned.toml"),
    "durations_dir": (".", "directory of durations.json: what the checks usually take"),
    "claims_seen_red": (
        "required",
        "required: a check that no sabotage has turned red in its present form is unproven; or reported",
    ),
    "run_name": ("", "name of the run and its directory (default: the time)"),
    "reports_dir": ("reports", "directory that each run gets a directory in"),
}

READ = ("claims_dir", "sabotage_dir", "waivers_dir", "durations_dir")  # by us alone


class Hooks:
    """What a project may implement, in a conftest.py or a plugin of its own."""

    @pytest.hookspec(firstresult=True)
    def pytest_claims_context(self, config: pytest.Config) -> RunContext | None:
        """Return the run this process belongs to; without it every pytest run is one, with its own report."""

    @pytest.hookspec
    def pytest_claims_admit(self, item: pytest.Item, scope: Scope) -> None:
        """Raise Unprovable for a check that cannot be had here: it is unproven, and no fixture runs."""

    @pytest.hookspec
    def pytest_claims_turn(
        self, item: pytest.Item, context: RunContext
    ) -> AbstractContextManager[object] | None:
        """Return what a check holds while it runs, beside the lock of its scope."""

    @pytest.hookspec
    def pytest_claims_needs(self, item: pytest.Item) -> Iterable[str]:  # type: ignore[empty-body]
        """Return parts of the subject that a check needs: without one it does not run.

        A claim none of whose checks can run for that reason is not applicable.
        """

    @pytest.hookspec(firstresult=True)
    def pytest_claims_leave_out(self, item: pytest.Item) -> str | None:
        """Return why a check is left to a later run: its claims are at best unproven in this one."""

    @pytest.hookspec(firstresult=True)
    def pytest_claims_alive(self, config: pytest.Config, since: datetime) -> str | None:
        """Return why the environment is dead, None while it lives; asked after an assertion failed.

        ``since`` is when the check began: what died after that and came back was dead all the same.
        """

    @pytest.hookspec(firstresult=True)
    def pytest_claims_processors(self, config: pytest.Config) -> float | None:
        """Return the seconds of processors that what works for all checks has used so far, such as nodes."""

    @pytest.hookspec
    def pytest_claims_collect_evidence(self, config: pytest.Config, evidence: Evidence) -> None:
        """Leave files about a check that was refuted or blocked."""

    @pytest.hookspec
    def pytest_claims_after_exclusive(self, config: pytest.Config, context: RunContext) -> None:
        """Show after a check of scope "cluster" that all is in order; what is raised blocks that check."""

    @pytest.hookspec
    def pytest_claims_redact(self, config: pytest.Config) -> Iterable[str]:  # type: ignore[empty-body]
        """Return secrets that nothing written may contain, beside what looks like one."""


RUN_NAME = re.compile(r"\w[\w.-]{0,99}", re.ASCII)


def text_of(config: pytest.Config, name: str) -> str:
    """Return one of our ini options; raises pytest.UsageError where it is no text."""
    with warnings.catch_warnings():  # pytest 9 warns of another type, where we refuse it
        warnings.simplefilter("ignore", pytest.PytestDeprecationWarning)
        value = config.getini(name)
    if not isinstance(value, str):
        raise pytest.UsageError(f"{name} = {value!r}: allowed is text")
    return value


def demand_ini(config: pytest.Config) -> None:
    """Raise pytest.UsageError for an ini option of a type or of a value that cannot be meant."""
    told = {name: text_of(config, name) for name in INI}
    for name, value in told.items():
        path = config.rootpath / value
        if name in READ and value != INI[name][0] and not path.is_dir():
            raise pytest.UsageError(f"{name} = {value}: no such directory")
    reports = config.rootpath / told["reports_dir"]
    if not told["reports_dir"].strip() or (os.path.lexists(reports) and not reports.is_dir()):
        raise pytest.UsageError(f"reports_dir = {told['reports_dir']}: no directory")
    if told["run_name"] and not RUN_NAME.fullmatch(told["run_name"]):
        allowed = "at most 100 letters, digits, dots, dashes and underscores"
        raise pytest.UsageError(f"run_name = {told['run_name']}: allowed are {allowed}")


def project(config: pytest.Config) -> Project:
    """Return the project that the ini file describes."""
    demand_ini(config)
    root, seen_red = config.rootpath, config.getini("claims_seen_red")
    if seen_red not in ("required", "reported"):
        raise pytest.UsageError(f"claims_seen_red = {seen_red}: allowed are required and reported")
    return Project(
        root=root,
        claims_dir=root / config.getini("claims_dir"),
        sabotage_dir=root / config.getini("sabotage_dir"),
        durations_dir=root / config.getini("durations_dir"),
        red_required=seen_red == "required",
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--claims`` and the ini options."""
    group = parser.getgroup("claims")
    group.addoption(
        "--claims", action="append", default=[], help="claim ids and globs, comma-separated; repeatable"
    )
    group.addoption(
        "--kill-table", action="store_true", help="apply each sabotage to a copy: its checks must turn red"
    )
    told = "with --collect-only: write the checks there as JSON, with their claims and forms"
    group.addoption("--list-checks", metavar="FILE", default="", help=told)
    for name, (default, told) in INI.items():
        parser.addini(name, told, type="string", default=default)
    parser.addini(
        "claims_observed_areas", type="args", default=[],
        help="areas whose checks may prove without requirements, by a control that answered otherwise",
    )  # fmt: skip


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make the hooks known."""
    pluginmanager.add_hookspecs(Hooks)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Try the sabotages instead of running the checks where ``--kill-table`` asks for it."""
    if not config.getoption("kill_table"):
        return None
    if not text_of(config, "claims_dir"):
        raise pytest.UsageError("--kill-table needs claims: set claims_dir in the ini file")
    from pytest_claims import kill_run

    of_ini = project(config)
    return kill_run.main(of_ini, config.getoption("claims"), config.rootpath / config.getini("reports_dir"))


def pytest_configure(config: pytest.Config) -> None:
    """Start the engine where the ini names claims."""
    if not text_of(config, "claims_dir"):
        return
    from pytest_claims.engine import run_start

    project(config)  # or it is told what is wrong with the ini
    run_start.start(config)
