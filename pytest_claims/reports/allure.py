"""Allure results: one test a check and claim, with observations as steps and evidence attached."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from allure_commons.logger import AllureFileLogger
from allure_commons.model2 import Attachment, Label, Parameter, StatusDetails, TestResult, TestStepResult
from allure_commons.types import LabelType

from pytest_claims.claims import Claim
from pytest_claims.project import Project
from pytest_claims.recording import records, writing
from pytest_claims.recording.printing import printable
from pytest_claims.recording.records import Record
from pytest_claims.reports import history
from pytest_claims.reports.junit import facts
from pytest_claims.reports.schema import CheckResult, ClaimResult, Results
from pytest_claims.verdicts import Verdict

DIRECTORY = "allure-results"
STATUS = {  # Allure's words; "unknown" is its only one that is neither green nor the subject's fault
    Verdict.PROVEN: "passed",
    Verdict.REFUTED: "failed",
    Verdict.BLOCKED: "broken",
    Verdict.UNPROVEN: "unknown",
    Verdict.PLANNED: "skipped",
    Verdict.NOT_APPLICABLE: "skipped",
}
CATEGORIES = {
    "failed": "Refuted: the subject is wrong",
    "broken": "Blocked: the environment or a probe is",
    "unknown": "Unproven: nothing is known",
    "skipped": "Waived, planned or not applicable",
}
MIME = {".json": "application/json", ".txt": "text/plain", ".yaml": "text/plain", ".log": "text/plain"}


class _About(NamedTuple):
    """What the project says of its claims and areas."""

    claims: Mapping[str, Claim]
    titles: Mapping[str, str]


def write(run: Path, found: Results, project: Project) -> Path:
    """Write the results directory anew and return its path."""
    directory = run / DIRECTORY
    shutil.rmtree(directory, ignore_errors=True)
    logger = AllureFileLogger(str(directory))
    reports, about = records.load(run), _About(project.claims(), project.titles())
    for claim in found.claims:
        if not claim.checks:
            logger.report_result(_result(about, claim, claim.id, claim.verdict, claim.reason, found.started))
        for check in claim.checks:
            record = reports.get(check.nodeid)
            verdict, reason = _shown(claim, check, record)
            at = record.started if record and record.started else found.started
            result = _result(about, claim, check.nodeid, verdict, reason, at)
            result.stop = result.start + int(check.seconds * 1000)
            if len(claim.checks) > 1:  # Allure tells tests apart by their names
                result.name = f"{result.name} ({check.nodeid.rpartition('::')[2]})"
            result.steps = _steps(record)
            result.attachments = [_attach(run, directory, each) for each in check.evidence]
            logger.report_result(result)
    if found.hindered:
        logger.report_result(_of_run(found))  # else all of it would be green
    _beside(directory, run, found)
    return directory


def _of_run(found: Results) -> TestResult:
    """Return the run itself as a test: its verdict is worse than what the claims say."""
    moment = int(found.started.timestamp() * 1000)
    return TestResult(
        uuid=str(uuid.uuid4()),
        historyId=str(uuid.uuid5(uuid.NAMESPACE_URL, "run")),
        name="the run itself",
        fullName="run",
        status="broken" if found.verdict == "blocked" else "unknown",
        statusDetails=StatusDetails(message=f"{found.verdict}: {found.hindrance}"),
        labels=[Label(name="verdict", value=found.verdict)],
        start=moment,
        stop=int(found.finished.timestamp() * 1000),
    )


def _beside(directory: Path, run: Path, found: Results) -> None:
    """Write what Allure shows beside the tests: what was tested, what the statuses mean, the trend."""
    told = "".join(f"{name} = {printable(value)}\n" for name, value in facts(found).items())
    writing.write_text(directory / "environment.properties", told)
    writing.write_json(
        directory / "executor.json", {"name": "boxproof", "type": "boxproof", "buildName": found.run}
    )
    meant = [{"name": name, "matchedStatuses": [status]} for status, name in CATEGORIES.items()]
    writing.write_json(directory / "categories.json", meant)
    past = history.past_of(run)
    if past is not None:
        trend = [_trend(each) for each in reversed(past.runs[:-1])]
        writing.write_json(directory / "history" / "history-trend.json", trend)


def _trend(point: history.Point) -> dict[str, object]:
    counts = point.counts
    skipped = counts.waived + counts.planned + counts.not_applicable
    data = {
        "passed": counts.proven, "failed": counts.refuted, "broken": counts.blocked,
        "unknown": counts.unproven, "skipped": skipped, "total": sum(counts.model_dump().values()),
    }  # fmt: skip
    return {"buildOrder": int(point.started.timestamp()), "reportName": point.run, "data": data}


def _shown(claim: ClaimResult, check: CheckResult, record: Record | None) -> tuple[Verdict, str]:
    """A proven check of a claim that is unproven for another reason (no sabotage) is not green."""
    alone = all(each.verdict is Verdict.PROVEN for each in claim.checks)
    if check.verdict is Verdict.PROVEN and alone:
        return claim.verdict, claim.reason
    return check.verdict, record.reason if record else claim.reason


def _result(
    about: _About, claim: ClaimResult, nodeid: str, verdict: Verdict, reason: str, at: datetime
) -> TestResult:
    known = about.claims.get(claim.id)
    moment = int(at.timestamp() * 1000)
    labels = {
        LabelType.FEATURE: about.titles.get(claim.area, claim.area),
        LabelType.STORY: claim.id,
        LabelType.PARENT_SUITE: about.titles.get(claim.area, claim.area),
        LabelType.SUITE: claim.id,
        LabelType.TAG: claim.id,
        "claim": claim.id,
        "verdict": str(verdict),
    }
    return TestResult(
        uuid=str(uuid.uuid4()),
        historyId=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{claim.id}/{nodeid}")),
        name=known.says if known else claim.id,
        fullName=nodeid,
        status="skipped" if claim.waiver else STATUS[verdict],
        statusDetails=StatusDetails(message=reason) if reason else None,
        labels=[Label(name=name, value=value) for name, value in labels.items()],
        parameters=[],
        start=moment,
        stop=moment,
    )


def _steps(record: Record | None) -> list[TestStepResult]:
    seen = record.observations if record else ()
    return [
        TestStepResult(
            name=f"{'control: ' if each.in_control else ''}{each.kind}: {each.asked}",
            status="passed",
            parameters=[Parameter(name="answer", value=str(each.answer)[:400])],
        )
        for each in seen[:200]
    ]


def _attach(run: Path, directory: Path, evidence: str) -> Attachment:
    source = f"{uuid.uuid4()}-attachment{Path(evidence).suffix}"
    if (run / evidence).is_file():
        try:
            (directory / source).hardlink_to(run / evidence)  # so that a run is stored once
        except OSError:  # another file system, or one without links
            shutil.copyfile(run / evidence, directory / source)
    mime = MIME.get(Path(evidence).suffix, "text/plain")
    return Attachment(name=Path(evidence).name, source=source, type=mime)
