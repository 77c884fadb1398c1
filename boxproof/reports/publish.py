"""Every form of the report, from results.json and what lies beside it."""

from __future__ import annotations

from pathlib import Path

from boxproof.reports import allure, html, junit
from boxproof.reports.model import Results


def write(run: Path, found: Results) -> Path:
    """Write the page, JUnit and Allure results into the run directory; return the page's path."""
    junit.write(run, found)
    allure.write(run, found)
    return html.write(run, found)
