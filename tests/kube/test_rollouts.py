"""Waiting for the newest revision of a workload."""

from __future__ import annotations

from typing import Any

import pytest

from boxproof.kube import pod_status
from pytest_claims.faults import DeadlineExceeded
from tests.support.pod_servers import pod


class Controlled:
    """A StatefulSet and its pod; ``steps`` are (revision, ready) of the pod at each look, None for no pod."""

    def __init__(self, *steps: tuple[str, bool] | None) -> None:
        self.steps = list(steps)
        self.deleted = 0

    def get(self, *_: object) -> dict[str, Any]:
        """Return the StatefulSet, whose newest revision is "new"."""
        return {"metadata": {"generation": 2}, "status": {"observedGeneration": 2, "updateRevision": "new"}}

    def find(self, *_: object) -> dict[str, Any] | None:
        """Return the pod as it is at this look."""
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if step is None:
            return None
        live = pod(ready=step[1])
        live["metadata"]["labels"] = {pod_status.REVISION: step[0]}
        return live

    def delete(self, objects: list[dict[str, Any]]) -> None:
        """Count a deletion."""
        self.deleted += len(objects)

    def list(self, *_: object) -> list[dict[str, Any]]:
        """Return no events."""
        return []


def roll(fake: Controlled, timeout: float = 5) -> None:
    """Wait for the newest revision."""
    pod_status.rolled_to(fake, "StatefulSet", "s", "n", "s-0", timeout=timeout)  # type: ignore[arg-type]


def test_the_old_pod_is_waited_out_although_it_is_ready() -> None:
    fake = Controlled(("old", True), None, ("new", False))
    roll(fake)
    assert len(fake.steps) == 1
    assert fake.deleted == 0


def test_an_old_pod_that_never_became_ready_is_deleted() -> None:
    fake = Controlled(("old", False), ("new", False))
    roll(fake)
    assert fake.deleted == 1


def test_a_controller_that_does_nothing_is_a_deadline() -> None:
    with pytest.raises(DeadlineExceeded, match="the revision before"):
        roll(Controlled(("old", True)), timeout=0.1)
