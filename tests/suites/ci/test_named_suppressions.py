"""Suppressions in files of any name, in statements, and as options of one finding."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from suites.ci import suppressions

TODAY = date(2026, 6, 1)
SCAN = ".github/workflows/scan.yml"
AHEAD = "nothing imports it until 2026-07-01"


def unjustified(directory: Path, **files: str) -> list[str]:
    """Return what is unjustified in a directory with these files, their names as they are."""
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return suppressions.unjustified(directory, TODAY)


BARE = [
    {SCAN: "with:\n  trivyignores: .github/known\n", ".github/known": "CVE-1\n"},
    {".github/.trivyignore": "CVE-1\n"},
    {".ci/scan": "trivy image --ignorefile ci/list a\n", "ci/list": "CVE-1\n"},
    {".ci/scan": "grype -c ci/g.yaml a\n", "ci/g.yaml": "ignore:\n  - vulnerability: CVE-1\n"},
    {"osv-scanner.toml": '[[IgnoredVulns]]\nid = "CVE-1"\n'},
    {"osv-scanner.toml": '[[IgnoredVulns]]\nid = "CVE-1"\nreason = "x"\nignoreUntil = 2026-05-01\n'},
    {"scan.sh": "pip-audit --ignore-vuln GHSA-1\n"},
    {"scan.sh": "docker scout cves --ignore-base a\n"},
    {"Makefile": "scan:\n\tcargo audit --ignore RUSTSEC-1\n"},
]
TOLD = [
    {SCAN: "with:\n  trivyignores: .github/known\n", ".github/known": f"# {AHEAD}\nCVE-1\n"},
    {".ci/scan": "grype -c ci/g.yaml a\n", "ci/g.yaml": "check-for-app-update: false\n"},
    {"osv-scanner.toml": '[[IgnoredVulns]]\nid = "CVE-1"\nreason = "x"\nignoreUntil = 2026-07-01\n'},
    {"scan.sh": f"pip-audit --ignore-vuln GHSA-1 # {AHEAD}\n"},
    {"docs/list.md": "trivyignores: known\n", "known": "CVE-1\n"},
]


@pytest.mark.parametrize("files", BARE)
def test_what_hides_a_finding_without_a_reason_is_seen(tmp_path: Path, files: dict[str, str]) -> None:
    assert len(unjustified(tmp_path, **files)) == 1


@pytest.mark.parametrize("files", TOLD)
def test_what_says_why_and_until_when_is_not(tmp_path: Path, files: dict[str, str]) -> None:
    assert unjustified(tmp_path, **files) == []


def test_a_statement_that_a_finding_is_harmless_needs_a_day(tmp_path: Path) -> None:
    statements = [
        {"vulnerability": {"name": "CVE-1"}, "status": "not_affected", "justification": "x"},
        {"vulnerability": {"name": "CVE-2"}, "status": "not_affected", "impact_statement": AHEAD},
        {"vulnerability": "CVE-3", "status": "affected"},
    ]
    text = json.dumps({"statements": statements})
    assert unjustified(tmp_path, **{".vex/box.openvex.json": text}) == ["box.openvex.json: CVE-1"]
    analysed = {"vulnerabilities": [{"id": "CVE-4", "analysis": {"state": "false_positive"}}]}
    found = unjustified(tmp_path, **{".vex/box.openvex.json": "{}", "vex.cdx.json": json.dumps(analysed)})
    assert found == ["vex.cdx.json: CVE-4"]
