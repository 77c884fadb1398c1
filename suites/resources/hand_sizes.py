"""Sizes that variables say by hand to runtimes, in the place of those of the control group."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from suites.resources.engine_limits import Amounts

LEAST = 0.25  # of the limit: with less a runtime does next to nothing
MIB = 1 << 20
UNITS = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": MIB, "GiB": 1 << 30, "TiB": 1 << 40}
GO = re.compile(r"(\d+)([KMGT]iB|B|)")
HEAP = re.compile(r"--max[-_]old[-_]space[-_]size[= ](\d+)")  # MiB
ENDLESS = "off"  # of GOMEMLIMIT


def beyond(variables: Mapping[str, str], amounts: Amounts) -> Iterator[str]:
    """Give the variables whose size is not one of the limit: more than that, or next to nothing of it."""
    memory, processors = amounts
    for name, size in _sizes(variables):
        if not math.isinf(memory) and not LEAST * memory <= size <= memory:
            yield f"{name}={variables[name]}"
    threads = variables.get("GOMAXPROCS", "")
    if threads.isdigit() and not math.isinf(processors) and int(threads) != math.ceil(processors):
        yield f"GOMAXPROCS={threads}"


def _sizes(variables: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    """Give the variables that say a size of memory, in bytes."""
    if found := GO.fullmatch(go := variables.get("GOMEMLIMIT", "")):
        yield "GOMEMLIMIT", int(found[1]) * UNITS[found[2]]
    elif go == ENDLESS:
        yield "GOMEMLIMIT", math.inf
    if (bun := variables.get("BUN_JSC_forceRAMSize", "")).isdigit():
        yield "BUN_JSC_forceRAMSize", int(bun)
    if heaps := HEAP.findall(variables.get("NODE_OPTIONS", "")):
        yield "NODE_OPTIONS", int(heaps[-1]) * MIB
