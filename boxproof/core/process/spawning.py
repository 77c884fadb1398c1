"""The one call that starts a process of ours."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from boxproof.core import parents
from boxproof.core.process.endings import Process
from boxproof.core.process.surroundings import environment
from pytest_claims.faults import EnvironmentFault
from pytest_claims.own_process import still_wanted


def spawn(
    words: tuple[str, ...],
    cwd: Path | None,
    env: Mapping[str, str] | None,
    stdin: int | IO[bytes],
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
) -> Process:
    """Start ``words`` in a session of its own; raises EnvironmentFault if it cannot start."""
    still_wanted()
    try:
        return subprocess.Popen(
            words, cwd=cwd, env={parents.PARENT: parents.mark()} | environment(env),
            stdin=stdin, stdout=stdout, stderr=stderr,
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise EnvironmentFault(f"cannot start {words[0]}: {error.strerror}") from error
