"""Fixtures these tests share."""

from __future__ import annotations

from tests.support.subject_fixtures import archive

__all__ = ["archive"]
