"""The memory and processors that a container may have, as Compose and an engine's options say it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from boxproof.subject.documented_commands import values

PERIOD = 100_000  # microseconds that a quota is a part of, where nothing else is said
BYTES = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?", re.IGNORECASE)
DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s)")
MICROSECONDS = {"us": 1, "ms": 1000, "s": 1_000_000}
SIZES = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
Amounts = tuple[float, float]  # bytes and processors, without end where nothing bounds them


def of_options(options: Sequence[str]) -> Amounts:
    """Return what options of ``docker run`` say."""

    def last(*names: str) -> Any:
        return next(iter(values(options, *names)[-1:]), None)

    parts = _quota(last("--cpu-quota"), last("--cpu-period")), _set(last("--cpuset-cpus"))
    return _amounts((last("-m", "--memory"),), (last("--cpus"), *parts))


def of_service(service: Mapping[str, Any]) -> Amounts:
    """Return what a service of Compose says, at either of the two places, or by a part of processors."""
    limits = ((service.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    memory, cpus = (service.get("mem_limit"), limits.get("memory")), (service.get("cpus"), limits.get("cpus"))
    parts = _quota(service.get("cpu_quota"), service.get("cpu_period")), _set(service.get("cpuset"))
    return _amounts(memory, (*cpus, *parts))


def _amounts(memory: Sequence[Any], cpus: Sequence[Any]) -> Amounts:
    return min(map(_bytes, memory), default=math.inf), min(map(_number, cpus), default=math.inf)


def _bytes(said: Any) -> float:
    """Return an amount in bytes; 0 and what is below it bound nothing, what a user fills in is unknown."""
    found = BYTES.fullmatch(str(said).strip())
    return (float(found[1]) * SIZES[found[2].lower()] if found else 0) or math.inf


def _quota(quota: Any, period: Any) -> float:
    """Return the processors that a quota of a period is, both in microseconds; none of it bounds nothing."""
    whole = _number(_plain(period))
    return _number(_plain(quota)) / (PERIOD if math.isinf(whole) else whole)


def _plain(said: Any) -> str:
    """Return microseconds as a number, which Compose may say with their unit."""
    found = DURATION.fullmatch(str(said))
    return str(float(found[1]) * MICROSECONDS[found[2]]) if found else str(said)


def _set(said: Any) -> float:
    """Return how many processors a list such as "0-2,5" has, without end where nothing is said."""
    ends = [(each.partition("-")[0], each.rpartition("-")[2]) for each in str(said).split(",")]
    if not all(one.strip().isdigit() for each in ends for one in each):
        return math.inf
    return len({one for low, high in ends for one in range(int(low), int(high) + 1)}) or math.inf


def _number(said: Any) -> float:
    try:
        found = float(str(said))
    except ValueError:  # nothing, or what a user fills in
        return math.inf
    return found if found > 0 else math.inf
