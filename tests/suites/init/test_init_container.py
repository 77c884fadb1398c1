"""What init containers did, read from a pod's status."""

from __future__ import annotations

from typing import Any

import pytest

from suites.init import init_container


def pod(state: dict[str, Any], last: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"status": {"initContainerStatuses": [{"name": "init", "state": state, "lastState": last or {}}]}}


@pytest.mark.parametrize(
    ("live", "state"),
    [
        (pod({"terminated": {"exitCode": 0}}), "done"), (pod({"terminated": {"exitCode": 1}}), "failed"),
        (pod({"running": {}}), "running"), (pod({"waiting": {}}), "waiting"), ({}, "waiting"),
        (pod({"waiting": {"reason": "CrashLoopBackOff"}}, {"terminated": {"exitCode": 1}}), "failed"),
    ],
)  # fmt: skip
def test_the_state_of_an_init_container(live: dict[str, Any], state: str) -> None:
    assert init_container.state_of(live, "init") == state


@pytest.mark.parametrize(
    ("mains", "started"),
    [
        ([], False), ([{"state": {"waiting": {}}, "started": False}], False),
        ([{"state": {"running": {}}, "started": True}], True),
        ([{"state": {"waiting": {}}, "lastState": {"terminated": {}}}], True),
        ([{"state": {"terminated": {}}}], True),
    ],
)  # fmt: skip
def test_an_agent_has_started_once_it_ever_ran(mains: list[dict[str, Any]], started: bool) -> None:
    assert init_container.started({"status": {"containerStatuses": mains}}) is started
