"""How a command ended: its result, or the fault that there is none."""

from __future__ import annotations

import errno
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from pytest_claims.faults import EnvironmentFault

MAKE_ROOM = "make room, or set BOXPROOF_CACHE and BOXPROOF_STATE to directories on another disk"


@dataclass(frozen=True)
class Result:
    """A finished command; ``seconds`` is its wall time."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the command ended with 0."""
        return self.code == 0

    def describe(self) -> str:
        """Return a line to paste into a shell, the exit code and the last ten lines of output."""
        tail = (self.stderr.strip() or self.stdout.strip()).splitlines()[-10:]
        return "\n".join([f"$ {shlex.join(self.argv)}", f"exit code {self.code}", *tail])


class CommandFailed(EnvironmentFault):
    """A command that had to succeed did not."""

    def __init__(self, result: Result, *, hint: str = "") -> None:
        full = os.strerror(errno.ENOSPC) in result.stderr
        told = f"{Path(result.argv[0]).name}: the disk is full" if full else result.describe()
        super().__init__(told, hint=MAKE_ROOM if full else hint)
        self.result = result


class CommandTimedOut(EnvironmentFault):
    """A command overran its deadline and was ended, with everything it had started."""
