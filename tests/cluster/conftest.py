"""Fixtures these tests share."""

from __future__ import annotations

from tests.support.cluster_fixtures import engine

__all__ = ["engine"]
