"""An in-toto statement with the predicate "test-result": what was tested, by content, and what it came to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_claims.recording import writing
from pytest_claims.reports.schema import ClaimResult, Results
from pytest_claims.verdicts import OF_THE_SUBJECT, Verdict

FILE = "test-result.intoto.json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"


def write(run: Path, found: Results) -> Path | None:
    """Write the statement and return its path; None where no subject is known by content."""
    made = statement(found)
    if made is None:
        return None
    writing.write_json(run / FILE, made)
    return run / FILE


def statement(found: Results) -> dict[str, Any] | None:
    """Return the statement about the image that was tested, None without one.

    PASSED says that every claim is proven; WARNED is an accepted run that leaves some waived or planned.
    """
    image = found.subject.image
    kind, _, digest = image.config_digest.partition(":")
    if not digest:
        return None
    passed = [each.id for each in found.claims if each.verdict is Verdict.PROVEN]
    warned = [each.id for each in found.claims if _spared(each)]
    failed = [each.id for each in found.claims if each.id not in {*passed, *warned}]
    whole = found.verdict == "accepted" and not found.narrowed
    return {
        "_type": STATEMENT,
        "subject": [{"name": image.reference, "digest": {kind: digest}}],
        "predicateType": PREDICATE,
        "predicate": {
            "result": ("WARNED" if warned else "PASSED") if whole else "FAILED",
            "configuration": [
                {"name": "subject", "annotations": {"source": found.subject.source}},
                {"name": "cell", "annotations": found.cell.model_dump()},
                {"name": "run", "annotations": {"id": found.run, "finished": found.finished.isoformat()}},
            ],
            "passedTests": passed,
            "warnedTests": warned,
            "failedTests": failed,
        },
    }


def _spared(claim: ClaimResult) -> bool:
    return claim.waiver is not None or claim.verdict in OF_THE_SUBJECT
