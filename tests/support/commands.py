"""The command line in a test's own process, which has imported already what a command imports."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from boxproof.cli import main as cli
from boxproof.core.process.endings import Commands
from boxproof.core.process.surroundings import Passed
from pytest_claims.own_process import PROCESS, Told
from pytest_claims.progress import Progress


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said itself: what its checks print goes to the terminal."""

    code: int
    out: str
    errors: str

    @property
    def said(self) -> str:
        """All of it."""
        return self.out + self.errors


def boxproof(*words: str, **places: Path) -> Ended:
    """Run a command with reports, state, cache or subject in ``places``.

    It is what a process of its own does but for the start of Python; pytest is started anew by it. Where the
    start, a signal or the environment is what a test is about, it starts a process.
    """
    out, errors = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        PROCESS.having(Passed(), Commands(), Told(), Progress()),
        redirect_stdout(out),
        redirect_stderr(errors),
    ):
        patch.setattr(cli, "interrupt_once", lambda: None)  # a later signal is the test's
        for name, path in places.items():
            patch.setenv(f"BOXPROOF_{name.upper()}", str(path))
        code = cli.main(words)
    return Ended(code, out.getvalue(), errors.getvalue())
