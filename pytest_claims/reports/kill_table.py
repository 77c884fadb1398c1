"""The kill table: which sabotages turned their checks red, written as sabotage.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pytest_claims import sabotages
from pytest_claims.faults import ExitCode
from pytest_claims.recording import redaction
from pytest_claims.recording.records import Record
from pytest_claims.reports import results
from pytest_claims.reports.schema import KillTable, SabotageResult
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
    checks: Mapping[str, Verdict] | None = None,
) -> SabotageResult:
    """Judge one sabotage by the records of its run (``results.reported``).

    ``checks`` are the verdicts each check had before; those it lacks had the claim's, ``baseline``: a claim
    can be unproven by one check while another of its checks is proven, and seen to turn red.
    """
    own = [each for each in reports if sabotage.claim in each.claims]
    verdict = worst(each.verdict for each in own)
    before = {each.nodeid: (checks or {}).get(each.nodeid, baseline) for each in own}
    killed = any(sabotages.judge(before[each.nodeid], each.verdict, each) for each in own)
    baseline = Verdict.PROVEN if killed else baseline
    others = sorted(
        {name for each in reports if each.verdict is Verdict.REFUTED for name in each.claims}
        - {sabotage.claim}
    )
    return SabotageResult(
        id=sabotage.id,
        claim=sabotage.claim,
        sentence=sabotage.sentence,
        diff=redaction.text(diff),
        baseline=baseline,
        verdict=verdict,
        reason=_reason(own, verdict, baseline, killed),
        killed=killed,
        also_refuted=tuple(others),
        seconds=round(seconds, 1),
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


def _reason(own: Sequence[Record], verdict: Verdict, baseline: Verdict, killed: bool) -> str:
    if baseline is not Verdict.PROVEN:
        return f"on the untouched subject the claim is {baseline}, so red would mean nothing"
    if not own:
        return "no check of the claim ran"
    found = next(each.reason for each in own if each.verdict is verdict)
    if killed or verdict is not Verdict.PROVEN:
        return found
    return "the check stays green: it does not see this defect"


def write(run: Path, rows: Iterable[SabotageResult]) -> KillTable:
    """Write the table beside results.json and return it."""
    found = tuple(sorted(rows, key=lambda each: each.id))
    table = KillTable(killed=sum(each.killed for each in found), total=len(found), sabotages=found)
    results.write(run / FILE, table)
    return table


def read(run: Path) -> KillTable | None:
    """Return the table of a run, None if its sabotages were not run."""
    path = run / FILE
    return KillTable.model_validate(json.loads(path.read_text())) if path.is_file() else None


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
    left = [each.id for each in table.sabotages if not each.killed]
    others = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
    more = f"; not killed: {', '.join(left[:NAMED])}{others}" if left else ""
    return f"{table.killed} of {table.total} sabotages killed{more}"
