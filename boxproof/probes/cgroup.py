"""What a container's control group allows and has counted, version 1 or 2, as its own files say."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from boxproof.probes.containers import LocalContainer
from boxproof.probes.pods.helper_pods import unique
from pytest_claims.faults import EnvironmentFault
from pytest_claims.pace import stretched
from pytest_claims.recording.observations import record

ROOT = "/sys/fs/cgroup"
UNLIMITED = 1 << 60  # version 1 has a number for "no limit"
UNITS = {
    **{f"{unit}i": 1 << 10 * power for power, unit in enumerate("KMGTPE", 1)},
    **{unit: 10 ** (3 * power) for power, unit in enumerate("kMGTPE", 1)},
}
SAMPLE = """peak=0
while [ ! -e "$2" ] && [ -d "/proc/$1/root" ]; do
    at=/proc/$1/root/sys/fs/cgroup
    now=$(awk '$1 == "total_rss" || $1 == "anon" { print $2; exit }' $at/memory/memory.stat $at/memory.stat 2>/dev/null)
    [ "${now:-0}" -le $peak ] || peak=$now
    sleep 0.1
done
rm -f "$2"
echo $peak
"""  # noqa: E501

Read = Callable[[str], str | None]


@dataclass(frozen=True)
class Limits:
    """Memory in bytes and processors; None is without a limit."""

    memory: int | None
    cpus: float | None


def of_local(container: LocalContainer) -> Read:
    """Return how files of a container on the engine are read."""

    def read(path: str) -> str | None:
        found = container.exec(["cat", path])
        return found.stdout if found.ok else None

    return read


def limits(asked: str, read: Read) -> Limits:
    """Return the limits of the control group; raises EnvironmentFault if its files are not there."""
    memory = _first(read, "memory.max", "memory/memory.limit_in_bytes").strip()
    quota = _first(read, "cpu.max", "cpu/cpu.cfs_quota_us").split()
    if len(quota) == 1:
        quota += _first(read, "cpu/cpu.cfs_period_us").split()
    found = Limits(
        None if memory == "max" or int(memory) >= UNLIMITED else int(memory),
        None if quota[0] in ("max", "-1") else int(quota[0]) / int(quota[1]),
    )
    record("limits", asked, found)
    return found


def oom_kills(asked: str, read: Read) -> int:
    """Return how many processes the kernel has killed there for want of memory; errors as ``limits``."""
    words = _first(read, "memory.events", "memory/memory.oom_control").split()
    found = int(words[words.index("oom_kill") + 1])
    record("oom kills", asked, found, decides=found > 0)
    return found


def _first(read: Read, *names: str) -> str:
    for each in names:
        if found := read(f"{ROOT}/{each}"):
            return found
    raise EnvironmentFault(f"no control group below {ROOT}: {', '.join(names)}")


class Peak:
    """The most memory that processes had at once, page cache not counted; 0 before the block has ended."""

    bytes = 0


@contextmanager
def watched(node: Any, pid: int) -> Iterator[Peak]:
    """Watch the control group of a process of a node (a docker container) for the length of the block.

    Raises EnvironmentFault if the node does not say what it saw.
    """
    peak, end = Peak(), f"/tmp/{unique('boxproof-peak')}"

    def sample() -> None:
        _, output = node.exec_run(["sh", "-c", SAMPLE, "sample", str(pid), end])
        text = output.decode(errors="replace").strip()
        peak.bytes = int(text) if text.isdigit() else 0

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        node.exec_run(["touch", end])
        thread.join(stretched(60))
        if thread.is_alive():
            raise EnvironmentFault(f"{node.name} does not tell the peak of process {pid}")


def quantity(text: str | float) -> float:
    """Return a Kubernetes quantity as a number: "500m", "4Gi", "3", 1e9."""
    written = str(text)
    for unit, size in UNITS.items():
        if written.endswith(unit):
            return float(float(written.removesuffix(unit)) * size)
    return float(written.removesuffix("m")) / 1000 if written.endswith("m") else float(written)
