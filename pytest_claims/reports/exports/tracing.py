"""A run as an OpenTelemetry trace in OTLP's JSON: the run, its steps, its checks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_claims.recording import records, writing
from pytest_claims.recording.records import Record
from pytest_claims.reports.schema import Results
from pytest_claims.verdicts import Verdict

FILE = "trace.otlp.json"
INTERNAL, OK, ERROR = 1, 1, 2  # kinds and statuses of OTLP


def write(run: Path, found: Results) -> Path:
    """Write the trace, one line as an exporter to files does, and return its path."""
    writing.write_json(run / FILE, trace(found, records.load(run)))
    return run / FILE


def trace(found: Results, checks: Mapping[str, Record]) -> dict[str, Any]:
    """Return the trace: the steps one after the other from the start, the checks when they ran.

    results.json has no times of day for steps, so theirs follow from what they took.
    """
    whole = _id(found.run, 32)
    root = _id(f"{found.run}/run", 16)

    def span(name: str, key: str, begun: datetime, ended: datetime, **more: Any) -> dict[str, Any]:
        return {
            "traceId": whole,
            "spanId": _id(f"{found.run}/{key}", 16),
            "name": name,
            "kind": INTERNAL,
            "startTimeUnixNano": str(int(begun.timestamp() * 1e9)),
            "endTimeUnixNano": str(int(ended.timestamp() * 1e9)),
        } | more

    passed = found.verdict == "accepted"
    spans = [
        span("run", "run", found.started, found.finished, status={"code": OK if passed else ERROR},
             attributes=_attributes({"boxproof.verdict": found.verdict, "boxproof.run": found.run})),
    ]  # fmt: skip
    at = found.started
    for name, seconds in found.timings.items():
        end = at + timedelta(seconds=seconds)
        spans.append(span(name, f"step {name}", at, end, parentSpanId=root))
        at = end
    for each in _timed(checks.values()):
        told = {
            "boxproof.claims": ",".join(each.claims), "boxproof.verdict": str(each.verdict),
            "boxproof.reason": each.reason, "boxproof.worker": each.worker,
        }  # fmt: skip
        assert each.started is not None and each.ended is not None
        spans.append(
            span(each.nodeid, f"check {each.nodeid}", each.started, each.ended, parentSpanId=root,
                 attributes=_attributes(told),
                 status={"code": OK if each.verdict is Verdict.PROVEN else ERROR, "message": each.reason})
        )  # fmt: skip
    service = {"service.name": "boxproof", "boxproof.subject": found.subject.name}
    scope = {"scope": {"name": "pytest_claims"}, "spans": spans}
    return {"resourceSpans": [{"resource": {"attributes": _attributes(service)}, "scopeSpans": [scope]}]}


def _timed(checks: Iterable[Record]) -> list[Record]:
    return sorted(
        (each for each in checks if each.started and each.ended), key=lambda each: str(each.started)
    )


def _attributes(told: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"key": name, "value": {"stringValue": value}} for name, value in told.items() if value]


def _id(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
