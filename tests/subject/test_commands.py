"""Documented commands: an exit code is an answer, unless the command lacked an input from outside."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from boxproof.host.fetch.apt import Silent
from boxproof.host.fetch.registries import Lack, Unanswered, fault_of
from boxproof.subject.copies import carry_out
from pytest_claims.faults import EnvironmentFault, ExitCode

SAYS = (
    "import sys; from pytest_claims import progress as log; "
    "log.fail({message!r}, 'mend it'); sys.exit({code})"
)
FAULTS = [
    fault_of([Lack("Go module a@v1", "404 Not Found", "set GOPROXY")]),
    fault_of([Lack("", "the npm registry does not answer, asked for a@1", ""), Lack("b", "gone", "")]),
    Unanswered("the Go module proxy does not answer, asked for kind: 503"),
    Silent("the package archive of sid does not answer: nothing came within 45 s"),
]


def said(message: str, code: int) -> int:
    words = [sys.executable, "-c", SAYS.format(message=message, code=int(code))]
    found = carry_out(words, {}, dict(os.environ), cwd=Path(__file__).parents[2])
    return found.code


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.message[:30])
def test_a_command_that_lacked_an_input_is_no_answer(fault: EnvironmentFault) -> None:
    with pytest.raises(EnvironmentFault, match="mend it"):
        said(fault.message, ExitCode.BLOCKED)


@pytest.mark.parametrize("code", [0, 1, 3, 4])
def test_any_other_end_is_an_answer(code: int) -> None:
    assert said("no Docker Engine answers", code) == code
    assert said("the npm registry does not answer, asked for a", ExitCode.REFUTED) == ExitCode.REFUTED
