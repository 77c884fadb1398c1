"""What the engine notes as a run goes on, and the report that it leaves of one that stands alone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_claims import progress
from pytest_claims.engine.stash_keys import CHECK, CONTEXT, is_worker, reports
from pytest_claims.faults import UsageError, one_line
from pytest_claims.recording import redaction
from pytest_claims.reports import not_proven, standing_alone
from pytest_claims.reports.under_way import Following
from pytest_claims.verdicts import Verdict


class Watcher:
    """Counts the verdicts, follows the run, and reports it."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []
        self.started = datetime.now(UTC)
        self.report: tuple[str, Path] | None = None
        self.before = ""  # what the link to the latest report was
        self.following: Following | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Turn away, before any fixture, what is not admitted; within the wrappers of others."""
        refused = item.stash[CHECK].refused
        if refused is not None:
            raise refused

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the verdicts in the process that ends the run."""
        verdict = getattr(report, "verdict", None)
        if verdict is not None:
            self.verdicts.append(Verdict(verdict))
            if self.following is not None:
                self.following.ended(report.nodeid, Verdict(verdict), getattr(report, "told", ""))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Fail the pytest run unless every check was proven; write the report of a run that stands alone."""
        if exitstatus == 0 and any(each is not Verdict.PROVEN for each in self.verdicts):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        config = session.config
        if self.following is not None:
            self.following.end()
        if reports(config) and exitstatus == pytest.ExitCode.USAGE_ERROR:
            standing_alone.withdraw(config.stash[CONTEXT], self.before)
        elif reports(config):
            self._write_report(session, exitstatus)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Show no secrets; say blocked until there is a report: no older verdict stands in its place."""
        config = session.config
        _redact_terminal(config)
        if not is_worker(config) and not config.getoption("collectonly"):
            hands = config.getoption("numprocesses", None) or 1
            self.following = Following(config.stash[CONTEXT], config.getoption("claims"), self.started, hands)
            _leave_lines_whole(config)
            # it says "bringing up nodes", which are not KIND's
            workers = config.pluginmanager.getplugin("terminaldistreporter")
            if workers is not None:
                config.pluginmanager.unregister(workers)
        if reports(config):
            self.before = standing_alone.begin(
                config.stash[CONTEXT], config.getoption("claims"), started=self.started
            )

    def _write_report(self, session: pytest.Session, exitstatus: int) -> None:
        context, selected = session.config.stash[CONTEXT], session.config.getoption("claims")
        interrupted = exitstatus == pytest.ExitCode.INTERRUPTED
        broken = exitstatus == pytest.ExitCode.INTERNAL_ERROR
        try:
            self.report = standing_alone.report(
                context,
                selected,
                started=self.started,
                interrupted=interrupted,
                fault="pytest ended with an internal error" if broken else "",
            )
        except UsageError as error:  # of waivers.toml or a sabotage: the checks cannot know
            progress.fail(error.message, error.hint)
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        except Exception as error:  # a full disk, a broken record: no verdict on anything
            reason = redaction.text(one_line(f"{type(error).__name__}: {error}"))
            self.report = standing_alone.unreported(context, reason, selected, started=self.started)
            progress.fail(f"the report cannot be written: {reason}")
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
        else:
            if session.exitstatus == pytest.ExitCode.OK and self.report[0] != "accepted":
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say the verdict of a run that stands alone, and where its page is."""
        if self.report is not None:
            verdict, page = self.report
            terminalreporter.ensure_newline()
            for line in not_proven.lines(page.parent, "pytest --claims", "pytest --kill-table --claims"):
                terminalreporter.write_line(line)
            terminalreporter.write_line(f"{verdict}: {page}")


def _leave_lines_whole(config: pytest.Config) -> None:
    """Have pytest write neither files nor shares of a hundred: a line for each claim says how far it is."""
    terminal = config.pluginmanager.getplugin("terminalreporter")
    if terminal is not None:
        terminal.showfspath = terminal._show_progress_info = False


def _redact_terminal(config: pytest.Config) -> None:
    """Have pytest's own lines pass the redaction: tracebacks, captured output and summaries."""
    if not config.pluginmanager.has_plugin("terminalreporter"):  # a worker shows nothing itself
        return
    terminal = config.get_terminal_writer()
    plain = terminal.write

    def write(msg: str, *, flush: bool = False, **markup: bool) -> None:
        plain(redaction.text(msg), flush=flush, **markup)

    terminal.write = write  # type: ignore[method-assign]
