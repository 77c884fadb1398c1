"""Every form of the report, from results.json and what lies beside it."""

from __future__ import annotations

from pathlib import Path

from pytest_claims.project import Project
from pytest_claims.reports import allure, html, junit, results


def write(run: Path, project: Project) -> Path:
    """Write the page, JUnit and Allure results into the run directory; return the page's path."""
    found = results.read(run / results.FILE)
    junit.write(run, found)
    allure.write(run, found, project)
    return html.write(run, found, project)
