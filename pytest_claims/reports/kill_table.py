"""The kill table: which sabotages turned their checks red, written as sabotage.json."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pytest_claims import sabotages
from pytest_claims.faults import ExitCode
from pytest_claims.recording import redaction
from pytest_claims.recording.records import Record
from pytest_claims.recording.red_lock import RedLock, Seen
from pytest_claims.reports import documents_read, results
from pytest_claims.reports.schema import CheckKills, CheckUnderSabotage, KillTable, SabotageResult
from pytest_claims.sabotages import Sabotage
from pytest_claims.verdicts import Verdict, worst

FILE = "sabotage.json"
NAMED = 20


def outcome(
    sabotage: Sabotage,
    diff: str,
    baseline: Verdict,
    reports: Sequence[Record],
    *,
    seconds: float,
    checks: Mapping[str, Verdict],
    in_force: bool = True,
) -> SabotageResult:
    """Judge one sabotage by the records of its run (``results.reported``).

    ``baseline`` is the claim's verdict on the untouched subject, ``checks`` those of each check: one it does
    not name was not proven there. ``in_force`` says whether the subject was seen to have the change in it.
    """
    own = [each for each in reports if sabotage.claim in each.claims]
    under = tuple(_under(each, checks.get(each.nodeid, Verdict.UNPROVEN), in_force) for each in own)
    killed = any(each.killed for each in under)
    verdict = worst(each.verdict for each in own)
    others = sorted(
        {name for each in reports if each.verdict is Verdict.REFUTED for name in each.claims}
        - {sabotage.claim}
    )
    return SabotageResult(
        id=sabotage.id,
        claim=sabotage.claim,
        sentence=sabotage.sentence,
        diff=redaction.text(diff),
        baseline=Verdict.PROVEN if any(each.before is Verdict.PROVEN for each in under) else baseline,
        verdict=verdict,
        reason=_reason(own, under, verdict, baseline, in_force),
        killed=killed,
        also_refuted=tuple(others),
        seconds=round(seconds, 1),
        form=sabotages.form(sabotage),
        checks=under,
    )


def _under(record: Record, before: Verdict, in_force: bool) -> CheckUnderSabotage:
    return CheckUnderSabotage(
        nodeid=record.nodeid,
        before=before,
        verdict=record.verdict,
        killed=in_force and sabotages.judge(before, record),
        form=record.form,
        red=record.red,
    )


def failed(sabotage: Sabotage, baseline: Verdict, reason: str, *, diff: str = "") -> SabotageResult:
    """Return the row of a sabotage that could not be applied: blocked, not killed."""
    return SabotageResult(
        id=sabotage.id,
        claim=sabotage.claim,
        sentence=sabotage.sentence,
        diff=redaction.text(diff),
        baseline=baseline,
        verdict=Verdict.BLOCKED,
        reason=redaction.text(reason),
        killed=False,
    )


def _reason(
    own: Sequence[Record],
    under: Sequence[CheckUnderSabotage],
    verdict: Verdict,
    baseline: Verdict,
    in_force: bool,
) -> str:
    killed = [each.nodeid for each in under if each.killed]
    if killed:
        return next(each.reason for each in own if each.nodeid == killed[0])
    if not own:
        return "no check of the claim ran"
    if all(each.before is not Verdict.PROVEN for each in under):
        return f"on the untouched subject the claim is {baseline}, so red would mean nothing"
    if not in_force:
        return "what was asked did not have the change in it"
    if verdict is Verdict.PROVEN:
        return "the check stays green: it does not see this defect"
    found = next(each for each in own if each.verdict is verdict)
    if verdict is not Verdict.REFUTED:
        return found.reason
    first = next(each for each in under if each.nodeid == found.nodeid)
    if first.before is not Verdict.PROVEN:
        return f"red is a check that was {first.before} before: {found.reason}"
    return f"red, but by no requirement of the check ({found.red or 'not in its body'}): {found.reason}"


def write(
    run: Path,
    rows: Iterable[SabotageResult],
    lock: RedLock | None = None,
    checks: Mapping[str, Record] | None = None,
) -> KillTable:
    """Write the table beside results.json and return it.

    ``checks`` are the records of the claims' checks on the untouched subject, ``lock`` says which were seen
    red before; what ``rows`` show comes on top.
    """
    found = tuple(sorted(rows, key=lambda each: each.id))
    learned = learn(copy.deepcopy(lock or RedLock()), found)
    own = tuple(_kills(found, learned, checks or {}))
    table = KillTable(
        killed=sum(each.killed for each in found),
        total=len(found),
        sabotages=found,
        checks_red=sum(bool(each.seen_red) for each in own),
        checks_total=len(own),
        checks=own,
    )
    results.write(run / FILE, table)
    return table


def _kills(
    rows: Sequence[SabotageResult], lock: RedLock, checks: Mapping[str, Record]
) -> Iterator[CheckKills]:
    forms: dict[str, tuple[str, str]] = {
        each.nodeid: (each.claims[0], each.form) for each in checks.values() if each.claims
    }
    killed: dict[str, list[str]] = {}
    for row in rows:
        for each in row.checks:
            forms.setdefault(each.nodeid, (row.claim, each.form))
            if each.killed:
                killed.setdefault(each.nodeid, []).append(row.id)
    for nodeid, (claim, form) in sorted(forms.items()):
        by = tuple(killed.get(nodeid, ()))
        yield CheckKills(nodeid=nodeid, claim=claim, killed_by=by, seen_red=lock.by(nodeid, form))


def learn(lock: RedLock, rows: Iterable[SabotageResult]) -> RedLock:
    """Have ``lock`` take in what sabotages showed; one that could not be tried shows nothing."""
    for row in sorted(rows, key=lambda each: each.id):
        tried = {each.nodeid for each in row.checks if each.before is Verdict.PROVEN}
        if not tried:
            continue
        red = {each.nodeid: each.form for each in row.checks if each.killed}
        settled = {each.nodeid for each in row.checks if each.verdict in (Verdict.PROVEN, Verdict.REFUTED)}
        lock.learn(row.id, row.form, red, tried & settled)
    return lock


def learn_elsewhere(lock: RedLock, rows: Iterable[SabotageResult]) -> RedLock:
    """Have ``lock`` take in checks that it did not know and that were turned red on another subject.

    Whether a sabotage is noticed on the project's own subject is not known by that.
    """
    for row in sorted(rows, key=lambda each: each.id):
        for each in row.checks:
            if each.killed and each.form and not lock.by(each.nodeid, each.form):
                lock.checks[each.nodeid] = Seen(form=each.form, sabotage=row.id)
    return lock


def read(run: Path) -> KillTable | None:
    """Return the table of a run, None if its sabotages were not run; raises OSError or ValueError."""
    path = run / FILE
    if not path.is_file():
        return None
    return KillTable.model_validate(documents_read.read_object(path, 1, "sabotages"))


def exit_code(table: KillTable, *, interrupted: bool = False) -> ExitCode:
    """Return 0 if all were killed, else 1 for a survivor, 3 for a blocked one, 4 for an unproven one.

    A table without a sabotage has proven nothing: 4.
    """
    if interrupted:
        return ExitCode.INTERRUPTED
    if table.total == table.killed:
        return ExitCode.ACCEPTED if table.total else ExitCode.UNPROVEN
    left = [each for each in table.sabotages if not each.killed]
    if any(each.baseline is Verdict.PROVEN and each.verdict is Verdict.PROVEN for each in left):
        return ExitCode.REFUTED
    if any(Verdict.BLOCKED in (each.verdict, each.baseline) for each in left):
        return ExitCode.BLOCKED
    return ExitCode.UNPROVEN


def summary(table: KillTable) -> str:
    """Return the totals, with the names of those that survived, as many as one reads in a line."""
    checks = f"{table.checks_red} of {table.checks_total} checks seen red, " if table.checks_total else ""
    left = [each.id for each in table.sabotages if not each.killed]
    others = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
    more = f"; not killed: {', '.join(left[:NAMED])}{others}" if left else ""
    return f"{checks}{table.killed} of {table.total} sabotages killed{more}"
