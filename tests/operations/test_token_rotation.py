"""A new token: what is none, where it goes, and that a pod without it is not taken for one that has it."""

from __future__ import annotations

from typing import Any

import pytest

from boxproof.operations import token_rotation
from pytest_claims.faults import UsageError


@pytest.mark.parametrize("text", ["", "short", "two words here", "two\nlines-of-it"])
def test_what_is_no_token_is_not_shown(text: str) -> None:
    with pytest.raises(UsageError) as failure:
        token_rotation.checked(text)
    assert not text or text not in str(failure.value)


def test_the_newline_at_the_end_of_a_file_is_not_part_of_the_token() -> None:
    assert token_rotation.checked("stub-token-1\n") == "stub-token-1"


def workload(**variable: Any) -> dict[str, Any]:
    """Return a StatefulSet whose container has one variable."""
    container = {"name": "claude", "env": [{"name": token_rotation.VARIABLE, **variable}]}
    return {"metadata": {"name": "agent"}, "spec": {"template": {"spec": {"containers": [container]}}}}


def test_the_secret_is_the_one_the_container_names() -> None:
    reference = {"secretKeyRef": {"name": "its-secret", "key": "token"}}
    assert token_rotation.source(workload(valueFrom=reference), "claude") == ("its-secret", "token")


@pytest.mark.parametrize("name", ["claude", "other"])
def test_a_token_that_comes_from_no_secret_cannot_be_rotated(name: str) -> None:
    with pytest.raises(UsageError, match="from no Secret"):
        token_rotation.source(workload(value="literal"), name)
