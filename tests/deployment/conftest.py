"""Fixtures these tests share."""

from __future__ import annotations

from tests.support.proof_fixtures import fresh, run_directory, session, suite

__all__ = ["fresh", "run_directory", "session", "suite"]
