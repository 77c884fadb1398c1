"""What hides findings from a scanner, and the runbooks' mistakes."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from boxproof.core.settings import ROOT
from suites.ci import suppressions
from suites.debugging import runbook_commands

TODAY = date(2026, 6, 1)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("CVE-1\n", ["CVE-1"]),
        ("# nothing imports it until 2026-07-01\nCVE-1\n", []),
        ("# nothing imports it until 2026-05-01\nCVE-1\n", ["CVE-1"]),
        ("# until 2026-07-01\nCVE-1\n", ["CVE-1"]),
        ("# nothing imports it until 2026-07-01\nCVE-1\nCVE-2\n", ["CVE-2"]),
        ("# until 2026-07-01: nothing imports it\r\nCVE-1\r\n", []),
        ("# nothing in the box\n# imports it (expires: 2026-07-01)\nCVE-1\n", []),
        ("# nothing imports it\nCVE-1 exp:2026-07-01\n", []),
        ("# nothing imports it\nCVE-1 exp:2026-05-01\n", ["CVE-1"]),
        ("CVE-1 exp:2026-07-01\n", ["CVE-1"]),
        ("# nothing imports it until 2026-13-45\nCVE-1\n", ["CVE-1"]),
    ],
)
def test_an_entry_needs_a_reason_and_a_day_ahead(tmp_path: Path, text: str, left: list[str]) -> None:
    (tmp_path / ".trivyignore").write_text(text)
    assert suppressions.unjustified(tmp_path, TODAY) == [f".trivyignore: {each}" for each in left]


def test_a_configuration_that_ignores_is_seen(tmp_path: Path) -> None:
    (tmp_path / ".grype.yaml").write_text("ignore:\n  - vulnerability: CVE-1\n")
    assert len(suppressions.unjustified(tmp_path, TODAY)) == 1
    (tmp_path / ".grype.yaml").write_text("check-for-app-update: false\n")
    assert suppressions.unjustified(tmp_path, TODAY) == []


@pytest.mark.parametrize(
    "block",
    [
        "crictl rm -f a",
        "crictl rmp --force a",
        "sudo crictl -r x rm --force a",
        "crictl stop a\nkubectl delete pod a",
    ],
)
def test_a_runbook_that_does_not_wait_is_seen(tmp_path: Path, block: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text(f"```\n{block}\n```\n")
    assert runbook_commands.mistakes(tmp_path)


def test_our_own_runbooks_wait() -> None:
    assert runbook_commands.mistakes(ROOT) == []
    assert "debugging.md" in runbook_commands.removing(ROOT)


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("kind: Pod # checkov:skip=CKV_1", True),
        ("# hadolint ignore=DL3008", True),
        ("# trivy:ignore:AVD-1 # nothing of it is used until 2026-07-01", False),
    ],
)
def test_a_remark_that_hides_a_finding_needs_a_reason_too(tmp_path: Path, line: str, left: bool) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "Dockerfile").write_text(f"{line}\nFROM a\n")
    assert bool(suppressions.unjustified(tmp_path, TODAY)) is left


WHOLESALE = {
    ".grype.yaml": "only-fixed: true\n",
    "trivy.yaml": "vulnerability:\n  ignore-unfixed: 'true'\nscan:\n  skip-dirs:\n    - usr/lib\n",
    ".github/workflows/scan.yml": "with:\n  ignore-unfixed: true\n",
    ".ci/scan": "trivy image --skip-dirs /opt a\n",
    "scan.sh": "grype a --only-fixed\n",
}


@pytest.mark.parametrize("name", list(WHOLESALE))
def test_an_option_that_leaves_findings_out_needs_a_reason_and_a_day(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(WHOLESALE[name])
    assert suppressions.unjustified(tmp_path, TODAY) != []
    lines = WHOLESALE[name].splitlines()
    told = "".join(f"{each} # nobody mends the rest until 2026-07-01\n" for each in lines)
    path.write_text(told)
    assert suppressions.unjustified(tmp_path, TODAY) == []


@pytest.mark.parametrize(
    "text", ["ignore-unfixed: false\n", "skip-dirs: []\n", "# ignore-unfixed: true\n", "skip-files: ''\n"]
)
def test_an_option_that_leaves_nothing_out_needs_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "trivy.yaml").write_text(text)
    assert suppressions.unjustified(tmp_path, TODAY) == []


def test_a_list_with_places_for_reason_and_end_needs_no_remark(tmp_path: Path) -> None:
    entry = "vulnerabilities:\n  - id: CVE-1\n    statement: nothing imports it\n    expired_at: {}\n"
    (tmp_path / ".trivyignore.yaml").write_text(entry.format("2026-07-01"))
    told = "  SNYK-1:\n    - '*':\n        reason: nothing imports it\n        expires: {}T00:00:00.000Z\n"
    (tmp_path / ".snyk").write_text(f"version: v1\nignore:\n{told.format('2026-07-01')}patch: {{}}\n")
    assert suppressions.unjustified(tmp_path, TODAY) == []
    (tmp_path / ".trivyignore.yaml").write_text(entry.format("2026-05-01"))
    (tmp_path / ".snyk").write_text(f"ignore:\n{told.format('2026-05-01')}")
    assert len(suppressions.unjustified(tmp_path, TODAY)) == 2
    (tmp_path / ".trivyignore.yaml").write_text(
        entry.format("2026-07-01").replace("nothing imports it", "no")
    )
    assert len(suppressions.unjustified(tmp_path, TODAY)) == 2


@pytest.mark.parametrize(
    ("name", "text", "left"),
    [
        (".trivyignore", "# nothing imports it until 2199-12-31\nCVE-1\n", ["CVE-1"]),
        (".trivyignore", "# TODO: say why, until 2026-07-01\nCVE-1\n", ["CVE-1"]),
        (".trivyignore", "# to be determined until 2026-07-01\nCVE-1\n", ["CVE-1"]),
        (".trivyignore", "# the fix is to be released with 2.0, until 2027-07-01\nCVE-1\n", []),
        ("scan.sh", "trivy image --pkg-types os a\n", ["pkg-types"]),
        ("scan.sh", "trivy image --pkg-types=os,library a\n", []),
        ("scan.sh", "trivy image --severity HIGH,MEDIUM a\n", ["severity"]),
        ("scan.sh", "trivy image --severity=HIGH,CRITICAL a\n", []),
        ("scan.sh", "other image --severity HIGH a\n", []),
        ("scan.sh", "trivy image --severity CRITICAL a\ntrivy image --severity HIGH,LOW a\n", []),
        ("trivy.yaml", "pkg:\n  types: [os]\n", ["types"]),
        (
            ".ci/scan",
            "# the base is another team's, until 2026-07-01\ntrivy image --vuln-type library a\n",
            [],
        ),
    ],
)
def test_an_end_is_in_sight_a_reason_is_one_and_a_part_of_a_scan_has_one(
    tmp_path: Path, name: str, text: str, left: list[str]
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert suppressions.unjustified(tmp_path, TODAY) == [f"{Path(name).name}: {each}" for each in left]


def test_a_scan_of_a_workflow_for_the_systems_packages_alone_is_seen(tmp_path: Path) -> None:
    options = "{vuln-type: os, severity: 'CRITICAL,HIGH'}"
    step = f"      - uses: aquasecurity/trivy-action@v1\n        with: {options}\n"
    (tmp_path / ".github/workflows").mkdir(parents=True)
    (tmp_path / ".github/workflows/a.yml").write_text(f"jobs:\n  a:\n    steps:\n{step}")
    assert suppressions.unjustified(tmp_path, TODAY) == ["a.yml: vuln-type"]


def test_nothing_of_ours_hides_a_finding() -> None:
    assert suppressions.unjustified(ROOT) == []
