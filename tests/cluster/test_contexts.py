"""Which cluster a kubeconfig would reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.cluster import contexts
from pytest_claims.faults import EnvironmentFault, UsageError


def write(path: Path, text: str) -> Path:
    """Write a kubeconfig."""
    path.write_text(text)
    return path


def test_another_context_is_refused_with_the_command_that_mends_it(tmp_path: Path) -> None:
    file = write(tmp_path / "config", "current-context: kind-other\n")
    with pytest.raises(UsageError, match="'kind-other'") as failure:
        contexts.check(file, "mine")
    assert failure.value.hint.endswith("use-context kind-mine")


@pytest.mark.parametrize("text", ["current-context: kind-mine\n", "current-context: ''\n", ""])
def test_its_own_context_and_none_pass(tmp_path: Path, text: str) -> None:
    contexts.check(write(tmp_path / "config", text), "mine")
    contexts.check(tmp_path / "missing", "mine")


@pytest.mark.parametrize("text", ["[", "- a list\n"])
def test_what_is_no_kubeconfig_is_said(tmp_path: Path, text: str) -> None:
    with pytest.raises(EnvironmentFault, match="is no kubeconfig"):
        contexts.check(write(tmp_path / "config", text), "mine")
