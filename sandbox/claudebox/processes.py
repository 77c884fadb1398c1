"""Processes by hand: what is started gets the descriptors it is meant to have, and nothing of it is left."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

SUBREAPER = 36
JOIN_SESSION_KEYRING = 1
KEYCTL = {"x86_64": 250, "aarch64": 219}
ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
PAUSE = 0.005
_libc: list[ctypes.CDLL] = []


def libc() -> ctypes.CDLL:
    """Return the C library."""
    if not _libc:
        _libc.append(ctypes.CDLL(None, use_errno=True))
    return _libc[0]


def become_subreaper() -> None:
    """Have the orphans among our descendants come to us."""
    libc().prctl(SUBREAPER, 1, 0, 0, 0)


def leave_keyring() -> None:
    """Join a session keyring of our own: the user's stays behind."""
    number = KEYCTL.get(os.uname().machine)
    if number is not None:
        libc().syscall(number, JOIN_SESSION_KEYRING, 0)


def spawn(
    argv: Sequence[str],
    env: Mapping[str, str],
    descriptors: Mapping[int, int],
    *,
    group: int = 0,
    ignored: Sequence[int] = (),
) -> int:
    """Start ``argv`` (its first word is a path) and return its pid.

    ``descriptors`` are all it gets beside 0 to 2, by their number there; ``group`` is the process group it
    joins, 0 is a new one; ``ignored`` signals are ignored, all others are as they were at first.
    """
    pid = os.fork()
    if pid:
        return pid
    with suppress(OSError):  # that group has ended
        os.setpgid(0, group)
    try:
        for number in (
            *ENDING,
            signal.SIGTSTP,
            signal.SIGTTOU,
            signal.SIGTTIN,
            signal.SIGPIPE,
            signal.SIGXFSZ,
        ):
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        arrange(descriptors)
        os.execve(argv[0], list(argv), dict(env))
    except BaseException as error:
        os.write(2, f"{argv[0]}: {error}\n".encode())
    finally:
        os._exit(126)


def arrange(descriptors: Mapping[int, int]) -> None:
    """Leave exactly these descriptors open beside 0 to 2, each under its own number."""
    import fcntl

    highest = max([2, *descriptors]) + 1
    kept = {there: fcntl.fcntl(here, fcntl.F_DUPFD, highest + 16) for there, here in descriptors.items()}
    for there, here in kept.items():
        os.dup2(here, there, inheritable=True)
    limit = os.sysconf("SC_OPEN_MAX")
    before = 3
    for there in sorted(each for each in kept if each > 2):
        os.closerange(before, there)
        before = there + 1
    os.closerange(before, limit)


def output(argv: Sequence[str], env: Mapping[str, str]) -> tuple[int, str]:
    """Run ``argv`` to its end; return its exit code and all it wrote."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = spawn(argv, env, {1: writer, 2: writer})
    os.close(writer)
    with open(reader, "rb") as file:
        said = file.read().decode(errors="replace")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said


def table() -> dict[int, tuple[int, str]]:
    """Return parent and state of every process in sight."""
    found: dict[int, tuple[int, str]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    words = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            found[int(name)] = (int(words[1]), words[0].decode())
    return found


def descendants(pid: int) -> list[int]:
    """Return the live processes that come from ``pid``, the nearest first."""
    every = table()
    children: dict[int, list[int]] = {}
    for each, (parent, _) in every.items():
        children.setdefault(parent, []).append(each)
    found: list[int] = []
    queue = [pid]
    while queue:
        below = children.get(queue.pop(0), [])
        found += [each for each in below if every[each][1] not in "ZX"]
        queue += below
    return found


def children(pid: int) -> list[int]:
    """Return the live children of ``pid``, the oldest first."""
    return sorted(each for each, (parent, state) in table().items() if parent == pid and state not in "ZX")


def end_all() -> None:
    """Kill all that comes from us until nothing is left."""
    while True:
        reap()
        left = descendants(os.getpid())
        if not left:
            reap()
            return
        for each in left:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        time.sleep(PAUSE)


def reap() -> dict[int, int]:
    """Return the exit codes of the children that have ended, by pid; a signal's number is negative."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = os.waitstatus_to_exitcode(status)


def code_of(status: int) -> int:
    """Return an exit code as a shell tells it: 128 and the number for a signal."""
    return status if status >= 0 else 128 - status
