"""A process beside each run that ends what the run started once the run itself is gone, however it went.

It is started as a file (``python -I guard.py NAME VALUE``): standard library only. Its standard input is a
pipe whose other end only the run holds, so that it notices even a KILL at once.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
ROUNDS = 500  # of looks and kills; what forks faster than that is left to the next run's sweep


def marked(name: str, value: str) -> list[int]:
    """Return the other live processes that have ``name=value`` in their environment."""
    wanted, found = f"{name}={value}".encode(), []
    for path in PROC.iterdir():
        if path.name.isdigit() and int(path.name) != os.getpid():
            with suppress(OSError):  # ended meanwhile, or somebody else's
                if wanted in (path / "environ").read_bytes().split(b"\0"):
                    found.append(int(path.name))
    return found


def end(name: str, value: str) -> None:
    """KILL what is marked, and what that goes on starting."""
    for _ in range(ROUNDS):
        found = marked(name, value)
        if not found:
            return
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def main(name: str, value: str) -> None:
    """Wait for the end of the run, then end what is marked as its own."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 1024):
        pass
    end(name, value)


if __name__ == "__main__":
    main(*sys.argv[1:3])
