"""Who started this process, and whether it still lives: a run ends with its starter.

Standard library only: the noxfile uses it, in an environment without requirements. Started as a file
(``python -I parents.py NAME VALUE``) it guards a run: its standard input is a pipe whose other end only the
run holds, so that it notices even a KILL at once, and ends what the run had started.
"""

from __future__ import annotations

import errno
import os
import re
import select
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PARENT = "BOXPROOF_PARENT"  # "PID:START", in the environment of what is to end with that process
MARK = re.compile(r"[0-9]{1,9}:[0-9]{1,20}")
PROC = Path("/proc")
START_TIME = 19  # field 22 of stat, counted after the name in brackets
LOOK = 0.5  # seconds between two looks where the kernel gives no descriptor of a process
ROUNDS = 500  # of looks and kills; what forks faster than that is left to the next run's sweep


def stat(pid: int) -> list[str]:
    """Return the fields of a process's stat after its name; empty when it is gone."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def start_time(pid: int) -> int:
    """Return when ``pid`` was started, in clock ticks since boot; 0 when it is gone or a zombie."""
    fields = stat(pid)
    return 0 if not fields or fields[0] in {"Z", "X"} else int(fields[START_TIME])


def mark() -> str:
    """Return how this process is named to what is to end with it; "" where the system does not tell."""
    started = start_time(os.getpid())
    return f"{os.getpid()}:{started}" if started else ""


def alive(marked: str) -> bool:
    """Return whether the process of a ``mark`` still lives."""
    pid, _, started = marked.partition(":")
    return pid.isdigit() and started.isdigit() and start_time(int(pid)) == int(started)


def watch(marked: str, gone: Callable[[], None]) -> None:
    """Call ``gone`` once, in a thread of its own, when the process of a ``mark`` ends; "" is none."""
    if MARK.fullmatch(marked):
        threading.Thread(target=_watch, args=(marked, gone), name="parent", daemon=True).start()


def _watch(marked: str, gone: Callable[[], None]) -> None:
    descriptor = _opened(int(marked.partition(":")[0]))
    try:
        if descriptor is not None and alive(marked):  # looked at after: it is not another of the same pid
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            poll.poll()
        while alive(marked):
            threading.Event().wait(LOOK)
    finally:
        if descriptor is not None:
            os.close(descriptor)
    gone()


def _opened(pid: int) -> int | None:
    """Return a descriptor that becomes readable when the process ends, None where there is none."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.EMFILE):
            return None
        raise


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
