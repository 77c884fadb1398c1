"""Every form of the report, from results.json and what lies beside it."""

from __future__ import annotations

from pathlib import Path

from pytest_claims.project import Project
from pytest_claims.reports import allure, html, junit, results
from pytest_claims.reports.exports import attestation, ci_summary, conformance_files, metrics, sarif, tracing


def write(run: Path, project: Project) -> Path:
    """Write the page, and what other programs read, into the run directory; return the page's path."""
    found = results.read(run / results.FILE)
    junit.write(run, found)
    allure.write(run, found, project)
    sarif.write(run, found, project)
    for each in (attestation, tracing, metrics, conformance_files, ci_summary):
        each.write(run, found)
    return html.write(run, found, project)
