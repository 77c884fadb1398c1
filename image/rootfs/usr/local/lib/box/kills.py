"""Tells of the processes of the box that the kernel killed for want of memory: it may have been a child's."""

from pathlib import Path

import limits
from logs import log


class Kills:
    """The count of the control group; ``look`` logs that it has grown, once a kill."""

    def __init__(self, root: Path = limits.ROOT) -> None:
        self.root = root
        self.known = limits.read(root).oom_kills

    def look(self) -> None:
        """Log what came since the last look."""
        now = limits.read(self.root)
        if self.known is not None and now.oom_kills is not None and now.oom_kills > self.known:
            log(
                "the kernel killed a process of the box for want of memory", "warning",
                oom_kills=now.oom_kills, memory_limit_bytes=now.memory_bytes,
            )  # fmt: skip
        self.known = now.oom_kills
