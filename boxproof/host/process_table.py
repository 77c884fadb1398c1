"""Facts about processes and this boot, read from /proc."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from boxproof.core.parents import start_time, stat
from pytest_claims.waiting import until

__all__ = ["start_time"]

PROC = Path("/proc")
GONE = 10.0  # seconds until a process that was killed is gone


def boot_id() -> str:
    """Return the id of this boot, or "" where the system has none."""
    path = PROC / "sys/kernel/random/boot_id"
    return path.read_text().strip() if path.exists() else ""


def command(pid: int) -> list[str]:
    """Return the command line of ``pid``; empty when it is gone or a zombie."""
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
    return [word.decode(errors="replace") for word in words if word]


def mentioning(text: str) -> dict[int, list[str]]:
    """Return the other live processes with ``text`` in their command line, by pid."""
    pids = [int(path.name) for path in PROC.iterdir() if path.name.isdigit()]
    lines = {pid: command(pid) for pid in pids if pid != os.getpid()}
    return {pid: words for pid, words in lines.items() if any(text in word for word in words)}


def of_program(name: str) -> list[int]:
    """Return the other live processes whose program is called ``name``."""
    return [pid for pid, words in mentioning(name).items() if Path(words[0]).name == name]


def with_variable(name: str, value: str) -> list[int]:
    """Return the other live processes that have ``name=value`` in their environment, as far as we may see."""
    wanted = f"{name}={value}".encode()
    found = []
    for path in PROC.iterdir():
        if path.name.isdigit() and int(path.name) != os.getpid():
            with suppress(OSError):
                if wanted in (path / "environ").read_bytes().split(b"\0"):
                    found.append(int(path.name))
    return [pid for pid in found if start_time(pid)]


def end(name: str, value: str, *, what: str) -> list[int]:
    """Kill the other processes that ``with_variable`` finds, those they go on starting too; their pids.

    Raises EnvironmentFault if ``what`` has not ended in time.
    """
    ended: set[int] = set()

    def gone() -> bool:
        left = with_variable(name, value)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        ended.update(left)
        return not left

    until(gone, timeout=GONE, what=f"the end of {what}")
    return sorted(ended)


def children(pid: int) -> list[int]:
    """Return the direct children of ``pid``."""
    pids = [int(path.name) for path in PROC.iterdir() if path.name.isdigit()]
    return [each for each in pids if (stat(each) or ["", "0"])[1] == str(pid)]


def from_file(path: Path) -> int:
    """Return the pid a pid file holds, or 0."""
    try:
        return int(path.read_text().strip())
    except (OSError, ValueError):
        return 0


def mounts_below(directory: Path) -> list[Path]:
    """Return the mount points at and below ``directory``, the innermost first."""
    points = []
    for line in (PROC / "self/mounts").read_text().splitlines():
        point = Path(line.split()[1].encode().decode("unicode_escape"))
        if point.is_relative_to(directory):
            points.append(point)
    return points[::-1]
