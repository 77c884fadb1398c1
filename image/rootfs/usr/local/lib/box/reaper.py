"""Runs a program and keeps below itself whatever that leaves behind, until the program has ended.

reaper.py NAME ARGV…  NAME is for who looks at the processes

What loses its parent comes to the nearest process above that takes it, whatever its group, its session and
its environment are. Each prompt has a reaper of its own, so what a prompt that is being worked on has started
is told from what is left of one that is over: that comes to the service itself.
"""

import ctypes
import os
import signal
import sys

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
NOT_STARTED = 127
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def take_orphans() -> bool:
    """Have what loses its parent below this process come to it; returns whether the kernel does that."""
    done: int = ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return done == 0


def let_go() -> None:
    """Close the pipes of the program: who reads or writes them is to see it end."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for each in range(3):
        os.dup2(nothing, each)


def main(argv: list[str]) -> int:
    """Run ARGV and return its exit code, 128 + N for a signal."""
    take_orphans()
    # a signal for its group, which the program is in too, is the program's alone
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        child = os.posix_spawnp(argv[0], argv, os.environ, setsigmask=(), setsigdef=IGNORED_BY_PYTHON)
    except OSError as error:
        print(f"the CLI cannot be started: {error}", file=sys.stderr)
        return NOT_STARTED
    let_go()
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:]))
