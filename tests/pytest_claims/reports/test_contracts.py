"""docs/contracts.md names every command, exit code, setting and schema there is, and no other."""

from __future__ import annotations

import re
from dataclasses import fields

from boxproof.cli.options import COMMANDS
from boxproof.core.settings import PREFIX, ROOT, Settings
from boxproof.reports.matrix_results import Matrix, Row
from pytest_claims.faults import ExitCode
from pytest_claims.reports.schema import KillTable, Results, SabotageResult

PAGE = (ROOT / "docs" / "contracts.md").read_text()


def row(start: str) -> set[str]:
    """Return the words set as code in the row of a table that begins so."""
    line = next(each for each in PAGE.splitlines() if each.startswith(f"| `{start}`"))
    return set(re.findall(r"`(\w+)`", line))


def test_the_settings_are_those_there_are() -> None:
    assert set(re.findall(r"`(BOXPROOF_[A-Z_]+)`", PAGE)) == {
        PREFIX + each.name.upper() for each in fields(Settings)
    }


def test_the_exit_codes_are_those_there_are() -> None:
    assert set(re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)) == {str(int(code)) for code in ExitCode}


def test_every_command_that_proves_is_listed() -> None:
    assert set(COMMANDS) - set(re.findall(r"`nox -s (\w+)", PAGE)) == {"doctor", "init", "report"}


def test_the_schemas_are_those_there_are() -> None:
    assert set(Results.model_fields) - {"schema_version"} <= row("results.json")
    table = (set(KillTable.model_fields) | set(SabotageResult.model_fields)) - {"schema_version", "sabotages"}
    assert table <= row("sabotage.json")
    assert (set(Matrix.model_fields) | set(Row.model_fields)) - {"schema_version", "cells"} <= row(
        "matrix.json"
    )
