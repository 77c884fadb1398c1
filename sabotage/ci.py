"""Sabotages of the pipeline: gates without consequences, and what goes around them."""

from __future__ import annotations

from pathlib import Path

from boxproof.proof.sabotages import replace_in, subject_sabotage


@subject_sabotage("ci-critical-cve-gate", "the scan ends with 0 whatever it finds")
def scan_without_consequences(directory: Path) -> None:
    replace_in(
        directory / "tasks.py", 'sys.exit({"proven": 0, "refuted": 1}', 'sys.exit({"proven": 0, "refuted": 0}'
    )


@subject_sabotage("ci-critical-cve-gate", "an empty database finds every image clean, and that counts")
def empty_database_counts(directory: Path) -> None:
    path = directory / "boxproof/subject/supply.py"
    replace_in(path, 'if not any(each.severity == "Critical" for each in judge_matches(known)):', "if False:")


@subject_sabotage("ci-critical-cve-gate", "high is the worst that is looked for")
def critical_not_looked_for(directory: Path) -> None:
    path = directory / "boxproof/subject/supply.py"
    told = 'critical = [each for each in findings if each.severity == "Critical"]'
    replace_in(path, told, 'critical = [each for each in findings if each.severity == "High"]')


@subject_sabotage(
    "ci-suppressions-justified", "an ignore file of a scanner names a vulnerability, and no reason"
)
def bare_ignore_file(directory: Path) -> None:
    (directory / ".trivyignore").write_text("CVE-2024-9999\n")


@subject_sabotage("ci-suppressions-justified", "a suppression without reason, owner and end")
def bare_suppression(directory: Path) -> None:
    (directory / "suppressions.toml").write_text('[[suppression]]\nvulnerability = "CVE-2024-9999"\n')


@subject_sabotage("ci-suppressions-justified", "a suppression goes on counting after its day")
def suppressed_for_ever(directory: Path) -> None:
    path = directory / "boxproof/subject/supply.py"
    replace_in(path, "return [each for each in found if each.expires >= now]", "return found")
