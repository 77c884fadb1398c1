"""The memory and processors that a container may have, as Compose and an engine's options say it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from boxproof.subject.documented_commands import values

BYTES = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?", re.IGNORECASE)
SIZES = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
Amounts = tuple[float, float]  # bytes and processors, without end where nothing bounds them


def of_options(options: Sequence[str]) -> Amounts:
    """Return what options of ``docker run`` say."""
    return _amounts(values(options, "-m", "--memory")[-1:], values(options, "--cpus")[-1:])


def of_service(service: Mapping[str, Any]) -> Amounts:
    """Return what a service of Compose says, at either of the two places."""
    limits = ((service.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    memory, cpus = (service.get("mem_limit"), limits.get("memory")), (service.get("cpus"), limits.get("cpus"))
    return _amounts(memory, cpus)


def _amounts(memory: Sequence[Any], cpus: Sequence[Any]) -> Amounts:
    return min(map(_bytes, memory), default=math.inf), min(map(_number, cpus), default=math.inf)


def _bytes(said: Any) -> float:
    """Return an amount in bytes; 0 and what is below it bound nothing, what a user fills in is unknown."""
    found = BYTES.fullmatch(str(said).strip())
    return (float(found[1]) * SIZES[found[2].lower()] if found else 0) or math.inf


def _number(said: Any) -> float:
    try:
        found = float(str(said))
    except ValueError:  # nothing, or what a user fills in
        return math.inf
    return found if found > 0 else math.inf
