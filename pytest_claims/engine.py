"""The engine at work: selects by claim, keeps the ledger, types the verdicts, records each check."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_claims import progress, selection
from pytest_claims.concurrency import scheduling, scopes
from pytest_claims.controls import control as control_block
from pytest_claims.controls import observe as observe_fact
from pytest_claims.faults import Unprovable, UsageError, nearest, one_line
from pytest_claims.project import RunContext
from pytest_claims.recording import observations, records, redaction, source_forms
from pytest_claims.recording.absentees import Absentees, claims_of
from pytest_claims.recording.check import Check, Evidence
from pytest_claims.recording.red_lock import RedLock
from pytest_claims.recording.redaction import Redactor
from pytest_claims.reports import not_proven, standing_alone
from pytest_claims.reports.under_way import Following
from pytest_claims.verdicts import Verdict

CONTEXT = pytest.StashKey[RunContext]()
REDACTOR = pytest.StashKey[Redactor]()
SELECTED = pytest.StashKey[frozenset[str]]()
LACKING = pytest.StashKey[dict[str, str]]()
LATER = pytest.StashKey[dict[str, str]]()
CHECK = pytest.StashKey[Check]()
WATCHER = pytest.StashKey["Watcher"]()
ABSENTEES = pytest.StashKey[Absentees]()
LOCK = pytest.StashKey[RedLock]()


class Watcher:
    """Notes what hooks without a configuration report."""

    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor
        self.faults: list[str] = []
        self.verdicts: list[Verdict] = []
        self.started = datetime.now(UTC)
        self.report: tuple[str, Path] | None = None
        self.before = ""  # what the link to the latest report was
        self.following: Following | None = None

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember suites that could not be collected."""
        if report.failed:
            text = self.redactor.text(report.longreprtext)  # before it is cut
            self.faults.append(self.redactor.text(f"{report.nodeid}: {text[-1500:]}"))

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
        if _reports(config) and exitstatus == pytest.ExitCode.USAGE_ERROR:
            standing_alone.withdraw(config.stash[CONTEXT], self.before)
        elif _reports(config):
            self._write_report(session, exitstatus)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Show no secrets; say blocked until there is a report: no older verdict stands in its place."""
        config = session.config
        _redact_terminal(config)
        if not _is_worker(config) and not config.getoption("collectonly"):
            hands = config.getoption("numprocesses", None) or 1
            self.following = Following(config.stash[CONTEXT], config.getoption("claims"), self.started, hands)
            _leave_lines_whole(config)
            # it says "bringing up nodes", which are not KIND's
            workers = config.pluginmanager.getplugin("terminaldistreporter")
            if workers is not None:
                config.pluginmanager.unregister(workers)
        if _reports(config):
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
            reason = self.redactor.text(one_line(f"{type(error).__name__}: {error}"))
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


def start(config: pytest.Config) -> None:
    """Ask which run this is, and which claims it is about; raises pytest.UsageError."""
    config.addinivalue_line("markers", "claim(*ids): the claims a check proves")
    config.addinivalue_line("markers", "needs(*parts): parts of the subject without which it does not run")
    config.addinivalue_line("markers", "scope(name): image, instance (default), cluster or host")
    config.addinivalue_line("markers", "own_cluster: unproven in a cluster that was not made for the run")
    config.addinivalue_line("filterwarnings", "default")  # a warning is no verdict on the subject
    config.option.continue_on_collection_errors = True  # one broken suite blocks its own claims only
    context: RunContext | None = config.hook.pytest_claims_context(config=config)
    config.stash[CONTEXT] = context or standing_alone.context(config)
    secrets = config.hook.pytest_claims_redact(config=config)
    redaction.add(*(each for many in secrets for each in many))
    config.stash[REDACTOR] = redaction.known()
    config.stash[LACKING], config.stash[LATER] = {}, {}
    config.stash[WATCHER] = Watcher(config.stash[REDACTOR])
    config.pluginmanager.register(config.stash[WATCHER], "pytest_claims.watcher")
    config.stash[ABSENTEES] = Absentees()
    config.pluginmanager.register(config.stash[ABSENTEES], "pytest_claims.absentees")
    try:
        chosen = config.stash[CONTEXT].project.select(config.getoption("claims"))
        config.stash[SELECTED] = frozenset(config.stash[CONTEXT].applicable(chosen))
        _demand_areas(config)
        config.stash[LOCK] = config.stash[CONTEXT].project.red_lock()
    except UsageError as error:
        raise _usage(config, error) from error


def _demand_areas(config: pytest.Config) -> None:
    """Raise UsageError for an area of the ini file that no claim is of."""
    known = {each.area for each in config.stash[CONTEXT].project.claims().values()}
    for area in config.getini("claims_observed_areas"):
        if area not in known:
            raise UsageError(f"claims_observed_areas: no area {str(area)!r}", hint=nearest(str(area), known))


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


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, object, object]:
    """Take secrets out of what a worker sends: the process that prints it may not know them."""
    return redaction.data((yield))


def _usage(config: pytest.Config, error: UsageError) -> pytest.UsageError:
    records.save_usage(_run(config), error.message, error.hint)
    return pytest.UsageError(str(error))


def _run(config: pytest.Config) -> Path:
    return config.stash[CONTEXT].directory


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of xdist which run it belongs to."""
    node.workerinput[standing_alone.RUN] = node.config.stash[CONTEXT].run


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _reports(config: pytest.Config) -> bool:
    """Return whether this process writes the report of its run."""
    return config.stash[CONTEXT].alone and not _is_worker(config) and not config.getoption("collectonly")


def _is_controller(config: pytest.Config) -> bool:
    return bool(config.getoption("numprocesses", None)) and not _is_worker(config)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the checks of the selected claims; a check without a known claim is a usage error."""
    known = config.stash[CONTEXT].project.claims()
    for item in items:
        ids = claims_of(item)
        if not ids:
            raise _usage(config, UsageError(f"{item.nodeid} proves no claim", hint="mark it with @claim(…)"))
        try:
            scope_of(item)
        except UsageError as error:
            raise _usage(config, error) from error
        for each in ids:
            if each not in known:
                raise _usage(config, selection.unknown(each, known, item.nodeid))
    wanted = config.stash[SELECTED]
    lacking: dict[str, str] = config.stash[LACKING]
    later: dict[str, str] = config.stash[LATER]
    dropped = [item for item in items if wanted.isdisjoint(claims_of(item))]
    items[:] = [item for item in items if not wanted.isdisjoint(claims_of(item))]
    for item in items:
        lack = _lack(item)
        why = "" if lack else (item.ihook.pytest_claims_leave_out(item=item) or "")
        if lack or why:
            dropped.append(item)
            noted, said = (lacking, lack) if lack else (later, why)
            noted |= {each: said for each in claims_of(item) if each not in noted}
    config.stash[ABSENTEES].own.update(dropped)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in dropped]
    _demand_apart(config, items)
    items[:] = _ordered(config, items)


def _demand_apart(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Raise a usage error for checks whose records would be taken for one another's, or for none."""
    shown = Counter(config.stash[REDACTOR].text(item.nodeid) for item in items)
    twice = next((name for name, number in shown.items() if number > 1), "")
    if twice:
        hint = "give its parameters ids that tell them apart, without what looks like a secret"
        raise _usage(config, UsageError(f"{shown[twice]} checks are called {twice}", hint=hint))


def _lack(item: pytest.Item) -> str:
    """Return why a check cannot be about this subject, "" where it can."""
    absent = item.config.stash[CONTEXT].absent
    return "; ".join(absent[each] for each in _needs(item) if each in absent)


def _needs(item: pytest.Item) -> tuple[str, ...]:
    """Return the parts of a subject that a check is about, each once."""
    asked = [str(each) for mark in item.iter_markers("needs") for each in mark.args]
    asked += [each for many in item.ihook.pytest_claims_needs(item=item) for each in many]
    return tuple(dict.fromkeys(asked))


def _ordered(config: pytest.Config, items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the slowest first for each worker; those that need the cluster alone come last, together."""
    hands = int(getattr(config, "workerinput", {}).get("workercount", 1))
    known = scheduling.read(_run(config))
    if not known:
        return items
    sorted_items = scheduling.slowest_first(items, lambda item: item.nodeid, known)
    sorted_items.sort(key=lambda item: scope_of(item) == "cluster")
    return scheduling.dealt(sorted_items, hands)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write down everything that must report, so that silence is noticed."""
    config = session.config
    listed = config.getoption("list_checks")
    if listed:
        found = {
            each.nodeid: {"claims": claims_of(each), "form": form_of(each), "needs": _needs(each)}
            for each in session.items
        }
        records.write_json(Path(listed), found)
    if _is_controller(config) or config.getoption("collectonly"):
        return
    records.save_collected(_run(config), {item.nodeid: claims_of(item) for item in session.items})
    lacking: dict[str, str] = config.stash[LACKING]
    later: dict[str, str] = config.stash[LATER]
    records.save_lacking(_run(config), lacking)
    later = _vanished(config) | later
    records.save_later(_run(config), later)
    for name, reason, claims in _skipped_files(config):
        if not claims:  # nobody can say what is missing
            config.stash[WATCHER].faults.append(f"{name}: skipped as a whole: {reason}")
    if config.stash[WATCHER].faults:
        records.save_faults(_run(config), config.stash[WATCHER].faults)


def _vanished(config: pytest.Config) -> dict[str, str]:
    """Return why selected claims are at best unproven: a check of theirs is not among those that run."""
    project, wanted = config.stash[CONTEXT].project, config.stash[SELECTED]
    lock = config.stash[LOCK] if project.red_required else RedLock()
    found = config.stash[ABSENTEES].reasons(wanted, lock)
    for name, reason, claims in _skipped_files(config):
        found |= dict.fromkeys(claims & wanted, f"{name} was skipped as a whole: {reason}")
    return {claim: redaction.text(why) for claim, why in found.items()}


def _skipped_files(config: pytest.Config) -> list[tuple[str, str, frozenset[str]]]:
    known = config.stash[CONTEXT].project.claims()
    return list(config.stash[ABSENTEES].of_files(config.rootpath, known))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Open a ledger for the check and write its record at its start and end."""
    worker = getattr(item.config, "workerinput", {}).get("workerid", "main")
    check = Check(
        item.config, _run(item.config), item.nodeid, claims_of(item), worker, item.config.stash[REDACTOR],
        observed=_may_observe(item), form=form_of(item),
    )  # fmt: skip
    item.stash[CHECK] = check
    check.record = check.record.model_copy(update={"line": (item.location[1] or 0) + 1})
    check.begin()
    with observations.opened() as check.ledger, check.scope:
        check.ledger.excused = bool(item.config.stash[LOCK].by(item.nodeid, check.record.form))
        result = yield
    check.end()
    return result


def form_of(item: pytest.Item) -> str:
    """Return the form of a check's source, "" for what is no function, or one of two of a name."""
    name = getattr(item, "originalname", "") or ""
    if not name or item.path.suffix != ".py" or not source_forms.is_one(item.path, name):
        return ""
    return source_forms.form_of(item.path, name)


def _may_observe(item: pytest.Item) -> bool:
    """Return whether all claims of a check are of areas that have not moved to requirements."""
    known = item.config.stash[CONTEXT].project.claims()
    areas = {known[each].area for each in claims_of(item)}
    return areas <= set(item.config.getini("claims_observed_areas"))


def _phase(name: str) -> Iterator[None]:
    book = observations.current()
    if book is not None:
        book.phase = name
    yield


def scope_of(item: pytest.Item) -> scopes.Scope:
    """Return the scope in the nearest scope mark; raises UsageError for an unknown one."""
    mark = item.get_closest_marker("scope")
    return scopes.checked(str(mark.args[0])) if mark else "instance"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Wait for the check's turn. Observations of fixtures do not count as the check's own."""
    check, context = item.stash[CHECK], item.config.stash[CONTEXT]
    try:
        item.ihook.pytest_claims_admit(item=item, scope=scope_of(item))
    except Unprovable as refused:
        check.refused = refused
    else:
        check.scope.enter_context(scopes.entered(context.locks, scope_of(item)))
        for held in item.ihook.pytest_claims_turn(item=item, context=context):
            check.scope.enter_context(held)
    check.turn_came()
    return (yield from _phase("setup"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """Observations of the body count."""
    return (yield from _phase("call"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Observations of the clean-up do not count; after a check of the cluster its health is shown."""
    yield from _phase("teardown")
    if scope_of(item) == "cluster" and item.stash[CHECK].refused is None:
        item.ihook.pytest_claims_after_exclusive(config=item.config, context=item.config.stash[CONTEXT])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Type what happened in one phase; the last phase's report carries the verdict."""
    report = _without_secrets((yield))
    check = item.stash.get(CHECK, None)
    if check is not None:
        check.phase_ended(item, call, report)
        if call.when == "teardown":
            verdict, reason = check.conclude()
            report.verdict = str(verdict)  # type: ignore[attr-defined]
            report.told = check.redactor.text(reason)  # type: ignore[attr-defined]
    return report


def _without_secrets(report: pytest.TestReport) -> pytest.TestReport:
    """Return a report that has none, for whoever shows it or cuts it: pytest itself, and other plugins."""
    told = report._to_json()
    clean = redaction.data(told)
    if json.dumps(clean, default=str) == json.dumps(told, default=str):
        return report
    return pytest.TestReport._from_json({**clean, "nodeid": report.nodeid})


def pytest_report_teststatus(report: pytest.TestReport | pytest.CollectReport) -> tuple[str, str, str] | None:
    """Show verdicts, not passes: a passed check without its control is not green."""
    verdict = getattr(report, "verdict", None)
    if verdict is not None:
        return verdict, "", verdict.upper()  # no letter: ``under_way`` has a line for each claim
    if isinstance(report, pytest.TestReport) and report.failed:  # keeps its traceback in the summary
        return ("failed" if report.when == "call" else "error"), "", "FAILED"
    return ("", "", "") if isinstance(report, pytest.TestReport) else None


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """``evidence(name, content)`` leaves a redacted file beside the report."""
    return request.node.stash[CHECK].evidence  # type: ignore[no-any-return]


@pytest.fixture(name="control")
def control_fixture() -> object:
    """``control(sentence)``: the block that shows the opposite."""
    return control_block


@pytest.fixture(name="observe")
def observe_fixture() -> object:
    """``observe(kind, asked, answer)``: record a simple fact."""
    return observe_fact
