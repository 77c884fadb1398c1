"""Half a secret is one: what is cut, and what names a file, has been redacted before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.own_project import OURS
from pytest_claims.controls import ControlFailed, control, require
from pytest_claims.faults import NotHeld
from pytest_claims.own_process import PROCESS
from pytest_claims.recording import records, redaction
from pytest_claims.recording.check import Evidence
from pytest_claims.recording.redaction import Redactor

SECRET = "Zq8Xk2Lm9" + "Pw4Rt6Yv1Bn3Cd5"  # put together, so that no scanner takes this file for a leak
BOUND = require("it is bound", lambda phase: phase == "Bound")
Suite = Callable[..., Any]


@pytest.fixture(autouse=True)
def _known() -> Iterator[None]:
    """Have the secret be known to this process, which knows its own ids already."""
    OURS.sabotages()
    with PROCESS.having(Redactor([SECRET])):
        yield


@pytest.mark.parametrize("place", [180, 190, 198])
def test_an_answer_that_is_cut_shows_no_part_of_a_secret(place: int) -> None:
    answer = f"{'.' * place}{SECRET}{'.' * 50}"
    with pytest.raises(NotHeld) as error:
        BOUND(answer)
    assert SECRET[:2] not in str(error.value)
    with pytest.raises(ControlFailed) as failed:
        BOUND.fails(answer)
    assert SECRET[:2] not in str(failed.value)


def test_the_first_line_of_an_error_shows_no_part_of_a_secret() -> None:
    long = f"{SECRET}\n{SECRET[::-1]}"
    redaction.add(long)
    with pytest.raises(ControlFailed) as error, control("it is shown"):
        raise ValueError(long)
    assert SECRET not in str(error.value)


def test_a_file_of_evidence_is_called_by_no_secret(tmp_path: Path) -> None:
    made = Evidence(tmp_path, "t.py::t")(f"log of {SECRET}", "text")
    assert SECRET not in str(made)
    assert SECRET not in records.name_of(f"t.py::test[{SECRET}]")


@pytest.mark.integration
def test_pytests_own_reports_have_no_secret_to_cut(suite: Suite, run_directory: Path) -> None:
    run_directory.mkdir(exist_ok=True)
    told = run_directory / "own.xml"
    suite(
        f"""
from pytest_claims.recording import redaction
SECRET = "{SECRET[:9]}" + "{SECRET[9:]}"
redaction.add(SECRET)
@claim("pvc-bound")
def test_it():
    print(SECRET)
    assert SECRET == ""
""",
        f"--junitxml={told}",
        "-o", "junit_logging=all",
        "-o", "junit_family=xunit2",
    )  # fmt: skip
    assert "test_it" in told.read_text()
    assert SECRET not in told.read_text()
