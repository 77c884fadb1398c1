"""From the records of the checks to the verdict of the run, written as results.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import BaseModel

from pytest_claims import pace, sabotages, waivers
from pytest_claims.claims import Claim
from pytest_claims.faults import BoxproofError, SubjectFault, UsageError, one_line
from pytest_claims.project import RunContext
from pytest_claims.recording import records, redaction
from pytest_claims.recording.check import processor_shares
from pytest_claims.recording.records import Asserted, Record
from pytest_claims.recording.red_lock import RedLock
from pytest_claims.reports import documents_read
from pytest_claims.reports.schema import (
    Cell,
    CheckResult,
    ClaimResult,
    Counts,
    Image,
    MachinePart,
    ProofPart,
    Results,
    RunVerdict,
    SubjectPart,
)
from pytest_claims.sabotages import Sabotage
from pytest_claims.verdicts import OF_THE_SUBJECT, Verdict, worst
from pytest_claims.waivers import Waiver

FILE = "results.json"
NOT_SEEN_RED = "not seen red since it was"
SEEN_ELSEWHERE = "its checks were seen to turn red on another subject, not on this one"
LONGEST_ANSWER = 400  # characters of an answer in results.json


@dataclass(frozen=True, kw_only=True)
class Judging:
    """What a run is judged by, beside what its workers left.

    ``selected`` are patterns as for ``--claims``; ``fault`` says why checks could not run at all,
    which blocks their claims, or refutes them if it is a SubjectFault.
    """

    selected: Sequence[str] = ()
    started: datetime | None = None
    timings: Mapping[str, float] | None = None
    interrupted: bool = False
    fault: str | BoxproofError = ""
    known_sabotages: Mapping[str, Sabotage] | None = None
    today: date | None = None


def collect(context: RunContext, how: Judging | None = None) -> Results:
    """Judge a run as ``judged`` does, and write results.json into its directory."""
    results = judged(context, how)
    write(context.directory / FILE, results)
    return results


def judged(context: RunContext, how: Judging | None = None) -> Results:
    """Return what the run has come to by what the workers left in its directory.

    Raises UsageError for malformed waivers, unknown claims, or a mark the workers complained of.
    """
    how = how or Judging()
    run, project, finished = context.directory, context.project, datetime.now(UTC)
    told = records.usage(run)
    if told:
        raise UsageError(told[0], hint=told[1])
    chosen = project.select(how.selected)
    known = project.sabotages() if how.known_sabotages is None else how.known_sabotages
    sabotaged = {key: bool(value) for key, value in sabotages.of_claims(chosen, known).items()}
    absent = _absence(run, how.fault, how.interrupted)
    reports = reported(run, interrupted=how.interrupted)
    lock = project.red_lock()
    reports = [_held_to(lock, each) if project.red_required else each for each in reports]
    claims = _judge_all(context, reports, sabotaged, absent, how.today, how.fault)
    claims = tuple(_with_red(each, reports, lock) for each in claims)
    if context.seen_here is not None:
        claims = tuple(_told(each, reports, context.seen_here) for each in claims)
    shares = processor_shares(reports)
    claims = tuple(_with_nodes(each, shares) for each in claims)
    return Results(
        run=context.run,
        started=how.started or finished,
        finished=finished,
        verdict=verdict_of(claims, how.interrupted, _hindered(run, how.fault)),
        narrowed=len(chosen) < len(project.claims()),
        interrupted=how.interrupted,
        counts=counts_of(claims),
        subject=context.facts.get("subject") or SubjectPart(name=project.root.name, source="", image=Image()),
        cell=context.facts.get("cell") or Cell(),
        packages=context.facts.get("packages"),
        claims=claims,
        timings=dict(how.timings or {}),
        machine=_machine(run),
        fault=one_line(redaction.text(str(how.fault))) if how.fault else "",
        proof=proof_of(claims),
        key=context.facts.get("key"),
    )


def _judge_all(
    context: RunContext,
    reports: Sequence[Record],
    sabotaged: Mapping[str, bool],
    absent: tuple[Verdict, str],
    today: date | None,
    fault: str | BoxproofError = "",
) -> tuple[ClaimResult, ...]:
    """Judge the claims that ``sabotaged`` lists; it says which of them have a sabotage."""
    known, day = context.project.claims(), today or date.today()
    waived, planned = waivers.load(context.waivers, known, day), waivers.planned(context.waivers, known)
    judged, lacking, later = [], records.lacking(context.directory), records.later(context.directory)
    for each, seen_red in sabotaged.items():
        own = [report for report in reports if each in report.claims]
        lack = known[each].lacks(context.absent) or ("" if own or each in later else lacking.get(each, ""))
        if lack:
            judged.append(_result(known[each], Verdict.NOT_APPLICABLE, lack, [], None, day))
            continue
        verdict, reason = _judge(own, each in planned, seen_red, _spared(known[each], fault) or absent)
        if each in later and (not own or verdict is Verdict.PROVEN):
            verdict, reason = Verdict.UNPROVEN, later[each]
        judged.append(_result(known[each], verdict, reason, own, waived.get(each), day))
    return tuple(judged)


def reported(run: Path, *, interrupted: bool = False) -> list[Record]:
    """Return a final record for everything collected; what did not report is blocked.

    In an interrupted run it is unproven instead.
    """
    found = records.load(run)
    silent = Verdict.UNPROVEN if interrupted else Verdict.BLOCKED
    final = []
    for nodeid, ids in (records.collected(run) | {key: each.claims for key, each in found.items()}).items():
        record = found.get(nodeid) or Record(nodeid=nodeid, claims=tuple(ids), state="collected")
        if record.state != "ended":
            was = "did not end" if record.state == "started" else "was not started"
            reason = f"interrupted: it {was}" if interrupted else f"its worker died: it {was}"
            record = record.model_copy(update={"verdict": silent, "reason": reason})
        final.append(record)
    return final


def _absence(run: Path, fault: str | BoxproofError, interrupted: bool) -> tuple[Verdict, str]:
    """Return the verdict of a claim for which nothing was collected."""
    faults = records.faults(run)
    if fault:
        own = isinstance(fault, SubjectFault)
        return (Verdict.REFUTED if own else Verdict.BLOCKED), redaction.text(str(fault))
    if faults:
        return Verdict.BLOCKED, f"a suite could not be collected: {one_line(faults[0].splitlines()[-1])}"
    if interrupted:
        return Verdict.UNPROVEN, "interrupted before its check"
    return Verdict.UNPROVEN, "no check"


def _hindered(run: Path, fault: str | BoxproofError) -> bool:
    """Return whether something other than the subject kept checks from being judged."""
    return bool(fault and not isinstance(fault, SubjectFault)) or bool(records.faults(run))


def _spared(claim: Claim, fault: str | BoxproofError) -> tuple[Verdict, str] | None:
    """Return the verdict of a claim that a subject's fault leaves open: what it needs is not spoilt."""
    if not isinstance(fault, SubjectFault) or fault.spoils is None or fault.spoils & set(claim.needs):
        return None
    return Verdict.UNPROVEN, one_line(f"not judged: {fault}")


def _judge(
    own: Sequence[Record], planned: bool, sabotaged: bool, absent: tuple[Verdict, str]
) -> tuple[Verdict, str]:
    if not own:
        return (Verdict.PLANNED, "no check yet") if planned else absent
    verdict = worst(each.verdict for each in own)
    if verdict is Verdict.PROVEN:
        if not sabotaged:
            return Verdict.UNPROVEN, "no sabotage: its check was never seen to turn red"
        return verdict, next((each.reason for each in own if each.reason), "")
    first = next(each for each in own if each.verdict is verdict)
    return verdict, first.reason


def _result(
    claim: Claim, verdict: Verdict, reason: str, own: Sequence[Record], waiver: Waiver | None, today: date
) -> ClaimResult:
    left = [f"{each.nodeid}: {each.reason}" for each in own if each.verdict is not Verdict.PROVEN]
    found = [each.verdict for each in own]
    refusal = waiver.refusal(verdict, left or [reason], today, found) if waiver else ""
    covers = waiver is not None and not refusal
    if refusal and verdict is not Verdict.PROVEN:
        reason = f"{reason} (its waiver {refusal})"
    checks = tuple(
        CheckResult(
            nodeid=each.nodeid,
            verdict=each.verdict,
            seconds=each.seconds,
            controls=each.controls,
            evidence=each.evidence,
            slowness=each.slowness,
            requirements=tuple(_shortened(one) for one in each.requirements),
            carried=each.carried,
            cpu_seconds=each.processors,
        )
        for each in own
    )
    return ClaimResult(
        id=claim.id,
        area=claim.area,
        verdict=verdict,
        reason=reason,
        waiver=waiver if covers else None,
        checks=checks,
    )


def _with_nodes(result: ClaimResult, shares: Mapping[str, float]) -> ClaimResult:
    """Return a claim whose checks say what they took of the nodes' processors."""
    told = (each.model_copy(update={"nodes_cpu_seconds": shares[each.nodeid]}) for each in result.checks)
    return result.model_copy(update={"checks": tuple(told)})


def _shortened(asserted: Asserted) -> Asserted:
    """Return a requirement whose answers have at most some hundred characters; the evidence has all."""
    shown = asserted.shown
    short = shown and shown.model_copy(update={"answer": _short(shown.answer)})
    return asserted.model_copy(update={"answer": _short(asserted.answer), "shown": short})


def _short(answer: object) -> object:
    text = json.dumps(answer, ensure_ascii=False)
    return answer if len(text) <= LONGEST_ANSWER else f"{text[:LONGEST_ANSWER]}…"


def _held_to(lock: RedLock, record: Record) -> Record:
    """Return a check's record, unproven where no sabotage has turned it red in its present form."""
    if record.verdict is not Verdict.PROVEN or lock.by(record.nodeid, record.form):
        return record
    why = "changed" if record.nodeid in lock.checks else "written"
    reason = f"{NOT_SEEN_RED} {why}: {record.nodeid.rpartition('::')[2]}"
    return record.model_copy(update={"verdict": Verdict.UNPROVEN, "reason": reason})


def _with_red(claim: ClaimResult, reports: Sequence[Record], lock: RedLock) -> ClaimResult:
    forms = {each.nodeid: each.form for each in reports}
    checks = (
        each.model_copy(update={"seen_red": lock.by(each.nodeid, forms.get(each.nodeid, ""))})
        for each in claim.checks
    )
    return claim.model_copy(update={"checks": tuple(checks)})


def _told(claim: ClaimResult, reports: Sequence[Record], here: RedLock) -> ClaimResult:
    """Return a claim that says where its checks were seen red, if that was not on this subject."""
    forms = {each.nodeid: each.form for each in reports}
    if claim.verdict is not Verdict.PROVEN or claim.reason:
        return claim
    if any(here.by(each.nodeid, forms.get(each.nodeid, "")) for each in claim.checks):
        return claim
    return claim.model_copy(update={"reason": SEEN_ELSEWHERE})


def proof_of(judged: Sequence[ClaimResult]) -> ProofPart | None:
    """Return how the checks of ``judged`` prove; None without checks."""
    checks = {check.nodeid: check for claim in judged for check in claim.checks}.values()
    if not checks:
        return None
    return ProofPart(
        checks=len(checks),
        by_requirements=sum(each.by_requirements for each in checks),
        seen_red=sum(bool(each.seen_red) for each in checks),
    )


def durations(found: Results) -> dict[str, float]:
    """Return the seconds of the proven checks and claims by name: one that was cut short tells nothing."""
    checks = [check for claim in found.claims for check in claim.checks]
    seconds = {each.nodeid: each.seconds for each in checks if each.verdict is Verdict.PROVEN}
    proven = [each for each in found.claims if each.verdict == "proven"]
    return seconds | {each.id: round(sum(check.seconds for check in each.checks), 1) for each in proven}


def counts_of(judged: Sequence[ClaimResult]) -> Counts:
    """Return how many claims have each verdict; a waived one counts as waived."""
    numbers = dict.fromkeys(Counts.model_fields, 0)
    for each in judged:
        numbers["waived" if each.waiver else each.verdict.replace(" ", "_")] += 1
    return Counts(**numbers)


def verdict_of(judged: Sequence[ClaimResult], interrupted: bool, fault: bool) -> RunVerdict:
    """Return the worst of the claims that count; a run that proves nothing is unproven.

    What is waived, planned or not applicable does not count.
    """
    found = worst(each.verdict for each in judged if not each.waiver and each.verdict not in OF_THE_SUBJECT)
    if found is Verdict.REFUTED:
        return "refuted"
    if found is Verdict.BLOCKED or fault:
        return "blocked"
    return "accepted" if found is Verdict.PROVEN and not interrupted else "unproven"


def _machine(run: Path) -> MachinePart | None:
    seen = pace.read(run)
    workers = {each.worker for each in records.load(run).values()}
    return MachinePart(workers=len(workers), **seen) if seen else None


def write(path: Path, model: BaseModel) -> None:
    """Write a report at once: a reader sees the old file or the whole new one."""
    records.write_json(path, model.model_dump(mode="json", by_alias=True))


def read(path: Path) -> Results:
    """Read results.json, of this version or the one before; raises OSError or ValueError."""
    data = documents_read.read_object(path, 2, "claims")
    if data["schema"] == 1:  # it knew no claim that is not applicable
        data["schema"] = 2
    return Results.model_validate(data)


def point_latest(run: Path) -> str:
    """Make ``latest`` beside the run directory a link to it, in one step; return what it was, or ""."""
    latest = run.parent / "latest"
    before = str(latest.readlink()) if latest.is_symlink() else ""
    link = run.parent / f".latest-{run.name}"
    link.unlink(missing_ok=True)
    link.symlink_to(run.name)
    link.replace(latest)
    return before


def point_back(run: Path, before: str) -> None:
    """Make ``latest`` what it was ``before`` a run that came to nothing, if it is that run still."""
    latest = run.parent / "latest"
    if latest.is_symlink() and str(latest.readlink()) == run.name:
        latest.unlink()
        if before and before != run.name:
            point_latest(run.parent / before)
