"""What the status of an exec says: an exit code, or that it never ran."""

from __future__ import annotations

from typing import Any

import pytest

from boxproof.kube.exec import exit_code
from pytest_claims.faults import EnvironmentFault


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ({"status": "Success"}, 0),
        ({"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}}, 3),
        ({"status": "Failure", "message": 'exec: "x": executable file not found in $PATH'}, 127),
        ({"status": "Failure", "message": "fork/exec /x: permission denied"}, 126),
    ],
)
def test_an_exec_status_is_an_exit_code(status: dict[str, Any], code: int) -> None:
    assert exit_code(status, "here")[0] == code


def test_an_exec_that_never_ran_is_a_fault_of_the_environment() -> None:
    with pytest.raises(EnvironmentFault, match="container not found"):
        exit_code({"status": "Failure", "message": "container not found"}, "here")
