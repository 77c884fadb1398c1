"""What every pytest run here needs: the tests of the harness drive pytest itself."""

from __future__ import annotations

from pytest_claims import pace

pytest_plugins = ["pytester"]


def pytest_xdist_auto_num_workers() -> int:
    """Return for ``-n auto`` more workers than processors: what tests start is waited for."""
    return pace.workers()
