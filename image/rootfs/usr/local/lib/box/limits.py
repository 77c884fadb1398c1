"""What the control group allows, version 1 or 2: /proc/meminfo and /proc/cpuinfo are about the whole node.

limits.py         print it as JSON
limits.py WORDS…  become that program, which is told to keep to it
"""

import json
import math
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
UNLIMITED = 1 << 60  # version 1 writes "no limit" as the largest multiple of a page
HEAP = 0.75  # of the limit: what a program may plan its heap with; the rest is stacks, buffers, children


@dataclass(frozen=True)
class Limits:
    """Bytes and processors; None is no limit, or not known."""

    version: int
    memory_bytes: int | None
    memory_used_bytes: int | None
    memory_peak_bytes: int | None
    oom_kills: int | None
    cpus: float | None


def read(root: Path = ROOT) -> Limits:
    """Return the limits of this container."""
    if (root / "cgroup.controllers").exists():
        quota = _words(root / "cpu.max") or ["max"]
        prefix, names = "", ("memory.max", "memory.current", "memory.peak", "memory.events")
        memory, version = root, 2
    else:
        quota = [*_words(root / "cpu/cpu.cfs_quota_us"), *_words(root / "cpu/cpu.cfs_period_us")] or ["-1"]
        names = ("limit_in_bytes", "usage_in_bytes", "max_usage_in_bytes", "oom_control")
        prefix, memory, version = "memory.", root / "memory", 1
    limit, used, peak = (_number(memory / f"{prefix}{each}") for each in names[:3])
    events = _words(memory / f"{prefix}{names[3]}")
    kills = events[events.index("oom_kill") + 1] if "oom_kill" in events else None
    return Limits(
        version=version,
        memory_bytes=None if limit is None or limit >= UNLIMITED else limit,
        memory_used_bytes=used,
        memory_peak_bytes=peak,
        oom_kills=None if kills is None else int(kills),
        cpus=None if quota[0] in ("max", "-1") else int(quota[0]) / int(quota[1]),
    )


def environment(given: Mapping[str, str] = os.environ, found: Limits | None = None) -> dict[str, str]:
    """Return an environment in which the CLI and what it starts keep to the limits; what is set stays set."""
    limits = found or read()
    made: dict[str, str] = {}
    if limits.memory_bytes is not None:
        heap = int(limits.memory_bytes * HEAP)
        made["BUN_JSC_forceRAMSize"] = str(limits.memory_bytes)  # the CLI's own runtime
        made["GOMEMLIMIT"] = str(heap)
        made["NODE_OPTIONS"] = f"--max-old-space-size={heap >> 20}"  # MCP servers of the user's
    if limits.cpus is not None:
        made["GOMAXPROCS"] = str(max(1, math.ceil(limits.cpus)))
    return made | dict(given)


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _number(path: Path) -> int | None:
    words = _words(path)
    return int(words[0]) if words and words[0].isdigit() else None


def main(words: list[str]) -> None:
    """Run as a program."""
    if words:
        for each in (signal.SIGPIPE, signal.SIGXFSZ):  # Python does not heed them, and its heirs would not
            signal.signal(each, signal.SIG_DFL)
        os.execvpe(words[0], words, environment())
    print(json.dumps(asdict(read())))


if __name__ == "__main__":
    main(sys.argv[1:])
