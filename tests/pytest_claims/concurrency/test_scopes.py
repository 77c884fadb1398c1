"""A check of scope "cluster" runs alone; what it might have broken is shown again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_claims.concurrency import scopes
from pytest_claims.faults import DeadlineExceeded


def test_instances_share_and_the_cluster_is_exclusive(tmp_path: Path) -> None:
    with scopes.entered(tmp_path, "instance"):
        with scopes.entered(tmp_path, "instance", timeout=0.1):
            pass
        with (
            pytest.raises(DeadlineExceeded, match="turn at cluster"),
            scopes.entered(tmp_path, "cluster", timeout=0.2),
        ):
            pass
        with scopes.entered(tmp_path, "image"):
            pass
    with (
        scopes.entered(tmp_path, "cluster"),
        pytest.raises(DeadlineExceeded),
        scopes.entered(tmp_path, "instance", timeout=0.2),
    ):
        pass


def test_a_cluster_left_broken_blocks_its_check(suite: Callable[..., Any]) -> None:
    broken = """
def pytest_claims_after_exclusive():
    raise EnvironmentFault("the canary gets through")
"""
    ran = suite("""
from pytest_claims import scope
@scope("cluster")
@claim("netpol-enforced-by-cni")
def test_it():
    with control("other"):
        observe("reach", "other", "open")
    observe("reach", "own", "refused")
""", conftest=broken)  # fmt: skip
    assert ran.only.verdict == "blocked"
    assert "the canary gets through" in ran.only.reason


def test_an_unknown_scope_is_wrong_usage(suite: Callable[..., Any]) -> None:
    ran = suite("@pytest.mark.scope('clutser')\n@claim('pvc-bound')\ndef test_it(): ...\n")
    assert ran.code == pytest.ExitCode.USAGE_ERROR
    assert "did you mean 'cluster'?" in ran.output
