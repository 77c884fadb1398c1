"""The commands a subject documents for its users, carried out as written, with this run's own tools."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from boxproof.core.process import Result, run
from boxproof.host.fetch.served_inputs import SAID
from pytest_claims.faults import EnvironmentFault, ExitCode, SubjectFault
from pytest_claims.recording import observations


def fill(words: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """Return ``words`` with ``{name}`` replaced; raises SubjectFault for a name that has no value."""
    try:
        return [each.format_map(values) for each in words]
    except KeyError as missing:
        known = ", ".join(sorted(values))
        raise SubjectFault(
            f"subject.toml: {' '.join(words)}: unknown {missing}", hint=f"allowed: {known}"
        ) from None


def carry_out(
    words: Sequence[str],
    values: Mapping[str, str],
    env: Mapping[str, str],
    *,
    timeout: float = 120,
    cwd: Path | None = None,
) -> Result:
    """Run one documented command with ``values`` filled in, in ``cwd``; its exit code is an observation.

    Raises EnvironmentFault if it cannot be started or does not end within ``timeout`` seconds, and for one of
    ours that lacked an input from outside: that is no answer.
    """
    argv = fill(words, values)
    argv[0] = shutil.which(argv[0], path=env["PATH"]) or argv[0]
    result = run(argv, env=env, timeout=timeout, check=False, cwd=cwd)
    lacked = SAID.search(result.stderr) if result.code == ExitCode.BLOCKED else None
    if lacked:
        raise EnvironmentFault(f"{Path(argv[0]).name}: {lacked[0]}")
    told = {"code": result.code}
    said = {} if result.ok else {"said": (result.stderr.strip().splitlines() or [""])[-1]}
    observations.record("command", " ".join([Path(argv[0]).name, *argv[1:]]), told | said, decides=told)
    return result
