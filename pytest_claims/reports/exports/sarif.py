"""SARIF 2.1.0 for code scanning: a rule for each claim, a result for each that is not proven."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_claims.project import Project
from pytest_claims.recording import writing
from pytest_claims.reports.schema import ClaimResult, Results
from pytest_claims.verdicts import Verdict

FILE = "results.sarif"
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {Verdict.REFUTED: "error", Verdict.BLOCKED: "warning", Verdict.UNPROVEN: "note"}


def write(run: Path, found: Results, project: Project) -> Path:
    """Write the log and return its path."""
    writing.write_json(run / FILE, log(found, project))
    return run / FILE


def log(found: Results, project: Project) -> dict[str, Any]:
    """Return the log of a run: a waived claim is a result that is suppressed, with the waiver's reason."""
    known = project.claims()
    rules = [
        {
            "id": each.id,
            "shortDescription": {"text": known[each.id].says if each.id in known else each.id},
            "properties": {"area": each.area, "tags": list(known[each.id].maps) if each.id in known else []},
        }
        for each in found.claims
    ]
    numbers = {each["id"]: place for place, each in enumerate(rules)}
    open_ones = [each for each in found.claims if each.verdict in LEVELS]
    tool = {"name": "boxproof", "rules": rules}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": tool},
                "automationDetails": {"id": f"boxproof/{found.run}"},
                "invocations": [
                    {
                        "executionSuccessful": found.verdict != "blocked",
                        "startTimeUtc": f"{found.started:%Y-%m-%dT%H:%M:%SZ}",
                        "endTimeUtc": f"{found.finished:%Y-%m-%dT%H:%M:%SZ}",
                    }
                ],
                "results": [_result(each, numbers[each.id]) for each in open_ones],
            }
        ],
    }


def _result(claim: ClaimResult, number: int) -> dict[str, Any]:
    files = dict.fromkeys(each.nodeid.partition("::")[0] for each in claim.checks)
    places = [{"physicalLocation": {"artifactLocation": {"uri": each}}} for each in files]
    made: dict[str, Any] = {
        "ruleId": claim.id,
        "ruleIndex": number,
        "level": LEVELS[claim.verdict],
        "message": {"text": f"{claim.verdict}: {claim.reason}"},
        "locations": places[:1],
        "partialFingerprints": {"claim/v1": claim.id},
    }
    if claim.waiver is not None:
        told = f"{claim.waiver.owner} until {claim.waiver.expires}: {claim.waiver.reason}"
        made["suppressions"] = [{"kind": "external", "status": "accepted", "justification": told}]
    return made
