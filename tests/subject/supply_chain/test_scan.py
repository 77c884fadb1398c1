"""SBOM, scan and suppressions: what counts, and when nothing is known."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from boxproof.subject.supply_chain import scan
from pytest_claims.faults import UsageError

TODAY = date(2026, 6, 1)
GOOD = (
    'vulnerability = "CVE-2026-1"\nreason = "not reachable from here"\nowner = "us"\nexpires = 2026-07-01\n'
)


def report(*severities: str) -> dict[str, Any]:
    return {
        "matches": [
            {
                "vulnerability": {"id": f"CVE-2026-{n}", "severity": each},
                "artifact": {"name": "a", "version": "1"},
            }
            for n, each in enumerate(severities, 1)
        ]
    }


def listed(tmp_path: Path, text: str) -> list[scan.Suppression]:
    path = tmp_path / scan.SUPPRESSIONS
    path.write_text(f"[[suppression]]\n{text}")
    return scan.suppressions(path, TODAY)


def grype(tmp_path: Path, text: str, code: int = 0) -> Path:
    path = tmp_path / "grype"
    path.write_text(f"#!/bin/sh\ncat <<'E'\n{text}\nE\necho no database >&2\nexit {code}\n")
    path.chmod(0o755)
    return path


def test_a_critical_finding_refutes_unless_a_suppression_counts(tmp_path: Path) -> None:
    assert scan.judge(report("Critical", "High"), []).verdict == "refuted"
    covered = scan.judge(report("Critical", "High"), listed(tmp_path, GOOD))
    assert (covered.verdict, len(covered.suppressed), covered.findings) == ("proven", 1, 2)
    other = listed(tmp_path, GOOD + 'package = "b"\n')
    assert scan.judge(report("Critical"), other).verdict == "refuted"


def test_an_expired_suppression_covers_nothing(tmp_path: Path) -> None:
    assert listed(tmp_path, GOOD.replace("2026-07-01", "2026-05-31")) == []


@pytest.mark.parametrize(
    "text",
    [GOOD.replace("not reachable from here", ""), GOOD.replace("2026-07-01", "2027-07-01"), GOOD + "x = 1\n"],
)
def test_a_suppression_without_reason_or_end_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError):
        listed(tmp_path, text)


def test_without_a_database_nothing_is_proven(tmp_path: Path) -> None:
    found = scan.scan(grype(tmp_path, "", code=1), tmp_path, [])
    assert (found.verdict, "no database" in found.reason) == ("unproven", True)
    assert json.loads((tmp_path / scan.SCAN).read_text())["verdict"] == "unproven"


def test_a_database_that_does_not_come_leaves_the_scan_unproven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "TIMEOUT", 1.0)
    waiting = tmp_path / "grype"
    waiting.write_text("#!/bin/sh\nexec sleep 600\n")
    waiting.chmod(0o755)
    found = scan.scan(waiting, tmp_path, [])
    assert (found.verdict, "did not end within 1 s" in found.reason) == ("unproven", True)


def test_a_database_that_finds_nothing_known_is_empty(tmp_path: Path) -> None:
    assert scan.scan(grype(tmp_path, json.dumps(report())), tmp_path, []).verdict == "unproven"
    assert scan.scan(grype(tmp_path, json.dumps(report("Critical"))), tmp_path, []).verdict == "refuted"
