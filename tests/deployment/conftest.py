"""Fixtures these tests share."""

from __future__ import annotations

from tests.support.proof_fixtures import run_directory, session, suite

__all__ = ["run_directory", "session", "suite"]
