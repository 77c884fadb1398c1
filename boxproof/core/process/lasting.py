"""Processes that outlive a call: daemons, the guard of a run, and what this process becomes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from boxproof.core import guard, parents
from boxproof.core.process.spawning import spawn
from boxproof.core.process.surroundings import OWNER, TEMPORARY, temporary_root


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
    program = [sys.executable, "-I", str(Path(guard.__file__)), OWNER, value]
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
