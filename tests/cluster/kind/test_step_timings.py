"""kind's own steps, timed by what it prints."""

from __future__ import annotations

from boxproof.cluster import cluster_info
from pytest_claims import progress
from pytest_claims.own_process import PROCESS

PRINTED = """Creating cluster "c" ...
 • Ensuring node image (boxproof-node:1) 🖼  ...
 ✓ Ensuring node image (boxproof-node:1) 🖼
 • Starting control-plane 🕹️  ...
 ✓ Starting control-plane 🕹️
 • Joining worker nodes 🚜  ...
ERROR: failed to create cluster"""


def test_each_step_that_ended_is_in_the_timings() -> None:
    told: dict[str, float] = {}
    passed: list[str] = []
    line = cluster_info.timed_steps(passed.append)
    with PROCESS.having(progress.Progress()):
        progress.on_step(told.__setitem__)
        for each in PRINTED.splitlines():
            line(each)
    assert list(told) == ["kind: Ensuring node image", "kind: Starting control-plane"]
    assert all(seconds >= 0 for seconds in told.values())
    assert passed == PRINTED.splitlines()
