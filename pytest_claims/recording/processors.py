"""Seconds of processors that checks take: their own, and their share of what works for all of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from pytest_claims.recording.records import Record


def used() -> float:
    """Return the seconds that this process and what it started, and has seen the end of, have taken."""
    return sum(os.times()[:4])


def shares(records: Sequence[Record]) -> Mapping[str, float]:
    """Return each check's share of what was used around it, by node id.

    What was used for all is dealt evenly among those that ran at the time, so the shares add up to about the
    whole: an estimate, for a kernel does not say for whom a server works. A run's are not mixed with those of
    an earlier one that are carried.
    """
    made = {}
    for each in records:
        spans = [_span(other) for other in records if other.carried == each.carried]
        made[each.nodeid] = round(each.processors_around / _beside(_span(each), spans), 1)
    return made


def _span(record: Record) -> tuple[float, float]:
    if record.started is None or record.ended is None:
        return 0.0, 0.0
    return record.started.timestamp(), record.ended.timestamp()


def _beside(own: tuple[float, float], spans: Sequence[tuple[float, float]]) -> float:
    """Return how many checks ran on average during one of them, itself included."""
    begin, end = own
    if end <= begin:
        return 1.0
    together = sum(max(0.0, min(end, last) - max(begin, first)) for first, last in spans)
    return max(1.0, together / (end - begin))
