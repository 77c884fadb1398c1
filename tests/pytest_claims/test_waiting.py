"""Waiting: a deadline with the last state seen, an early end on anything unexpected."""

from __future__ import annotations

import pytest

from pytest_claims.faults import DeadlineExceeded, SubjectFault
from pytest_claims.waiting import NotYet, holds, until


def test_the_value_of_the_probe_is_returned() -> None:
    states = iter(["", "", "ready"])

    assert until(lambda: next(states), timeout=5, every=0.01, what="readiness") == "ready"


def test_a_deadline_names_the_last_state() -> None:
    def probe() -> bool:
        raise NotYet("phase Pending")

    with pytest.raises(DeadlineExceeded, match=r"readiness: not within 0 s.*; last seen: phase Pending"):
        until(probe, timeout=0.05, every=0.01, what="readiness")


def test_a_terminal_state_ends_the_wait_at_once() -> None:
    def probe() -> bool:
        raise SubjectFault("ErrImagePull")

    with pytest.raises(SubjectFault):
        until(probe, timeout=60, what="readiness")


def test_holding_takes_at_least_two_looks() -> None:
    looks = iter([True, False])

    assert not holds(lambda: next(looks), seconds=0, every=0.01)
