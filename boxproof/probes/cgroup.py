"""What a container's control group has counted, version 1 or 2, as its own files say."""

from __future__ import annotations

from collections.abc import Callable

from boxproof.errors import EnvironmentFault
from boxproof.probes.ledger import record
from boxproof.probes.local import LocalContainer

ROOT = "/sys/fs/cgroup"
UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "k": 10**3, "M": 10**6, "G": 10**9}
Read = Callable[[str], str | None]


def of_local(container: LocalContainer) -> Read:
    """Return how files of a container on the engine are read."""

    def read(path: str) -> str | None:
        found = container.exec(["cat", path])
        return found.stdout if found.ok else None

    return read


def oom_kills(asked: str, read: Read) -> int:
    """Return how many processes the kernel has killed there for want of memory.

    Raises EnvironmentFault if its files are not there.
    """
    words = _first(read, "memory.events", "memory/memory.oom_control").split()
    found = int(words[words.index("oom_kill") + 1])
    record("oom kills", asked, found, decides=found > 0)
    return found


def _first(read: Read, *names: str) -> str:
    for each in names:
        if found := read(f"{ROOT}/{each}"):
            return found
    raise EnvironmentFault(f"no control group below {ROOT}: {', '.join(names)}")


def quantity(text: str | float) -> float:
    """Return a Kubernetes quantity as a number: "500m", "4Gi", "3", 1e9."""
    written = str(text)
    for unit, size in UNITS.items():
        if written.endswith(unit):
            return float(written.removesuffix(unit)) * size
    return float(written.removesuffix("m")) / 1000 if written.endswith("m") else float(written)
