"""What a kernel says of a machine that is as slow as a test wants it."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_claims import pace
from pytest_claims.pace import Machine

QUICK = pace.UNIT_SECONDS
PROCESSORS = len(os.sched_getaffinity(0))


class Kernel:
    """Files like those of a kernel."""

    def __init__(self, directory: Path) -> None:
        self.proc, self.cgroups = directory / "proc", directory / "cgroup"
        self.machine = Machine(self.proc, self.cgroups, unit=lambda: QUICK)
        self.says(self.cgroups / "cgroup.controllers", "cpu io memory\n")
        self.says(self.proc / "self/cgroup", "0::/\n")
        self.load(0.1)
        self.waits("cpu", 0)

    @staticmethod
    def says(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def load(self, average: float, running: int = 1) -> None:
        self.says(self.proc / "loadavg", f"{average} 0.50 0.25 {running}/300 4242\n")

    def waits(self, what: str, some: float, full: float = 0) -> None:
        lines = (f"{who} avg10={share:.2f} avg60=0.00 avg300=0.00 total=1\n"
                 for who, share in (("some", some), ("full", full)))  # fmt: skip
        self.says(self.proc / "pressure" / what, "".join(lines))

    def slowed(self, factor: float) -> None:
        """Have all work wait for a processor, with so many processes for each."""
        self.load(factor * PROCESSORS)
        self.waits("cpu", 100)

    def calm(self) -> None:
        """Have no work wait."""
        self.load(0.1)
        self.waits("cpu", 0)
