"""The hooks around each check: its turn, its ledger, its record, and the verdict that is shown."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator

import pytest

from pytest_claims.concurrency import scopes
from pytest_claims.controls import control as control_block
from pytest_claims.controls import observe as observe_fact
from pytest_claims.engine.absentees import claims_of
from pytest_claims.engine.collection import form_of, scope_of
from pytest_claims.engine.stash_keys import CHECK, CONTEXT, LOCK, REDACTOR, directory_of
from pytest_claims.faults import Unprovable
from pytest_claims.recording import observations, redaction
from pytest_claims.recording.check import Check, Evidence


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Open a ledger for the check and write its record at its start and end."""
    config = item.config
    worker = getattr(config, "workerinput", {}).get("workerid", "main")
    check = Check(
        config, directory_of(config), item.nodeid, claims_of(item), worker, config.stash[REDACTOR],
        observed=_may_observe(item), form=form_of(item),
    )  # fmt: skip
    item.stash[CHECK] = check
    check.record = check.record.model_copy(update={"line": (item.location[1] or 0) + 1})
    check.begin()
    with observations.opened() as check.ledger, check.scope:
        check.ledger.excused = bool(config.stash[LOCK].by(item.nodeid, check.record.form))
        result = yield
    check.end()
    return result


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


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, object, object]:
    """Take secrets out of what a worker sends: the process that prints it may not know them."""
    return redaction.data((yield))


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
