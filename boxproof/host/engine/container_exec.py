"""Commands in a container by the engine's exec, whose answer is believed only when it came whole."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import until

# On a busy machine engines were seen to report success and lose output, so the output says that it is whole.
WHOLE = '"$@"; code=$?; printf "\\n%s" "$0"; exit $code'
ANEW = 10.0  # seconds for a reading whose answers are lost


class _Lost(EnvironmentFault):
    """The output of an exec did not come, or not all of it."""


def said(container: Any, argv: Sequence[str], *, again: bool = False) -> tuple[int, bytes]:
    """Run ``argv`` in a container that has a shell; its exit code, and stdout and stderr as they came.

    ``container`` is one of the docker SDK. An answer that is lost raises EnvironmentFault; with ``again`` the
    command is a mere reading, and is run anew for some seconds.
    """
    if not again:
        return _once(container, argv)
    what = f"the output of {' '.join(argv)} in {container.name}"
    return until(lambda: _once(container, argv), timeout=ANEW, what=what, transient=(_Lost,))


def _once(container: Any, argv: Sequence[str]) -> tuple[int, bytes]:
    end = f"end-{secrets.token_hex(8)}"
    code, output = container.exec_run(["sh", "-c", WHOLE, end, *argv])
    text, mark, _ = (output or b"").rpartition(f"\n{end}".encode())
    if not mark:
        raise _Lost(f"the engine lost the output of {' '.join(argv)} in {container.name} (exit code {code})")
    return int(code), text
