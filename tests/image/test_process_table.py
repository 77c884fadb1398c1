"""The process table changes while the health check reads it."""

from __future__ import annotations

import sys

from boxproof.core.process import run
from boxproof.core.settings import ROOT

LIB = ROOT / "image/rootfs/usr/local/lib/box"
ENDED = (
    f"import sys; sys.path.insert(0, {str(LIB)!r}); import health; "
    "print(health.Process({}, 1, 'S', 0).words)"
)
NO_PID = 1 << 30  # beyond what the kernel gives


def test_a_process_that_has_ended_meanwhile_has_no_arguments() -> None:
    found = run([sys.executable, "-I", "-c", ENDED.format(NO_PID)], check=False, timeout=20)
    assert (found.code, found.stdout.strip()) == (0, "[]")
