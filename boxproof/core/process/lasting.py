"""Commands that take our place, have our terminal, or outlast us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from boxproof.core import parents
from boxproof.core.process.endings import end_group, signal_groups, tell
from boxproof.core.process.running import spawn
from boxproof.core.process.surroundings import OWNER, TEMPORARY, environment, temporary_root
from pytest_claims.own_process import CutShort


def daemon(
    argv: Sequence[str | os.PathLike[str]], *, log: Path, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a process that outlives us, in a session of its own, with its output appended to ``log``."""
    words = tuple(os.fspath(word) for word in argv)
    own = {OWNER: "", parents.PARENT: "", TEMPORARY: str(temporary_root())}
    with log.open("ab") as sink:
        # the directory that we stand in may be removed before it ends
        return spawn(words, Path("/"), own | dict(env or {}), subprocess.DEVNULL, sink, sink)


@contextmanager
def guarded(value: str) -> Iterator[None]:
    """Have everything that was started with ``OWNER=value`` ended after the block, or with this process.

    That holds however this process ends, by KILL too. Raises EnvironmentFault if the guard does not start.
    """
    program = [sys.executable, "-I", str(Path(parents.__file__)), OWNER, value]
    guarding = spawn(
        tuple(program), None, {OWNER: ""}, subprocess.PIPE, subprocess.DEVNULL, subprocess.DEVNULL
    )
    try:
        yield
    finally:
        assert guarding.stdin is not None
        guarding.stdin.close()
        guarding.wait()


def become(
    argv: Sequence[str | os.PathLike[str]], *, first: Path, env: Mapping[str, str] | None = None
) -> NoReturn:
    """Replace this process by ``argv``, in its whole environment; ``env`` holds where it says nothing.

    The programs in ``first`` come before those of PATH. Raises OSError if ``argv`` cannot start.
    """
    words = [os.fspath(word) for word in argv]
    path = os.pathsep.join([str(first), os.environ.get("PATH", os.defpath)])
    os.execve(words[0], words, {**(env or {}), **os.environ, "PATH": path})


ENDING = (  # the signals that end a run; with nohup a closed terminal is no reason to
    signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] * (signal.getsignal(signal.SIGHUP) != signal.SIG_IGN)),
)  # fmt: skip


@dataclass
class _Ending:
    """One signal to a process, and after ``grace`` seconds the end of its group."""

    process: subprocess.Popen[bytes]
    grace: float
    send: signal.Signals | None
    told: bool = False  # by a signal to us
    deadline: float = float("inf")

    def begin(self, number: int) -> None:
        if self.deadline == float("inf"):
            self.deadline = time.monotonic() + self.grace
            signal_groups(
                [self.process], self.send or number
            )  # its helpers too: xdist's workers clean up themselves

    def pass_on(self, number: int, _frame: object) -> None:
        self.told = True
        tell()
        self.begin(signal.SIGTERM if number == signal.SIGHUP else number)


def foreground(
    argv: Sequence[str | os.PathLike[str]],
    *,
    grace: float = 10.0,
    send: signal.Signals | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stop: Callable[[], bool] | None = None,
) -> int:
    """Run ``argv`` on our own terminal and return its exit code, 130 if INT, TERM or HUP to us ended it.

    One that a signal ended which was not sent to us returns 128 and its number, as in a shell.

    It is told who we are (``parents.PARENT``), so that it can end with us. INT and TERM sent to us are
    passed on once, HUP as TERM, or all as ``send`` where given; after ``grace`` seconds the whole group is
    killed. So it is once ``stop``, asked a few times a second, returns True: then
    CutShort is raised, unless we were told to end as well.
    """
    process = subprocess.Popen(
        [os.fspath(word) for word in argv], cwd=cwd, start_new_session=True,
        env={parents.PARENT: parents.mark()} | environment(env),
    )  # fmt: skip
    ending = _Ending(process, grace, send)
    before = {each: signal.signal(each, ending.pass_on) for each in ENDING}
    try:
        while process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
                break
            if stop is not None and stop():
                ending.begin(signal.SIGTERM)
            if time.monotonic() > ending.deadline:
                end_group(process, grace=0.5)
    finally:
        if process.poll() is None:
            end_group(process, grace=0.5)
        for each, handler in before.items():
            signal.signal(each, handler)
    if ending.deadline < float("inf") and not ending.told:
        raise CutShort
    if ending.told:
        return 130
    return process.returncode if process.returncode >= 0 else 128 - process.returncode
