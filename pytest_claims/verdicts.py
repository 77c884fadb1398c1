"""The five verdicts, how failures map to them, and how several make one."""

from __future__ import annotations

import sysconfig
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path

import pytest

from pytest_claims.controls import ControlFailed
from pytest_claims.faults import EnvironmentFault, ExitCode, NotHeld, SubjectFault, Unprovable, one_line
from pytest_claims.recording import redaction

DEAD = "environment dead"  # what the reason of a check says that leaned on something that died meanwhile
LIBRARIES = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib"))
Liveness = Callable[[], str | None]


class Verdict(StrEnum):
    """What is known about a claim.

    ``planned`` is a claim that has no check yet, one is not applicable that needs what the subject lacks.
    """

    PROVEN = "proven"
    REFUTED = "refuted"
    BLOCKED = "blocked"
    UNPROVEN = "unproven"
    PLANNED = "planned"
    NOT_APPLICABLE = "not applicable"


WORST_FIRST = (Verdict.REFUTED, Verdict.BLOCKED, Verdict.UNPROVEN, Verdict.PROVEN, Verdict.PLANNED,
               Verdict.NOT_APPLICABLE)  # fmt: skip
OF_THE_SUBJECT = (Verdict.PLANNED, Verdict.NOT_APPLICABLE)  # they hinder no acceptance
EXIT_CODES = {
    "accepted": ExitCode.ACCEPTED,
    "refuted": ExitCode.REFUTED,
    "blocked": ExitCode.BLOCKED,
    "unproven": ExitCode.UNPROVEN,
}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst verdict: refuted, blocked, unproven, proven; of none it is unproven."""
    found = set(verdicts)
    return next((each for each in WORST_FIRST if each in found), Verdict.UNPROVEN)


def of_exception(info: pytest.ExceptionInfo[BaseException], alive: Liveness) -> tuple[Verdict, str]:
    """Return verdict and reason for what a check raised.

    An assertion or SubjectFault refutes if the environment is alive afterwards; all else blocks, and says so
    where the environment is dead.
    """
    error = info.value
    if isinstance(error, pytest.skip.Exception):
        return Verdict.UNPROVEN, f"skipped: {one_line(error.msg or '')}"
    if isinstance(error, pytest.xfail.Exception):
        return Verdict.UNPROVEN, f"expected to fail: {one_line(error.msg or '')}"
    if isinstance(error, Unprovable):
        return Verdict.UNPROVEN, one_line(error)
    if isinstance(error, ControlFailed):
        return blocked(one_line(error), alive)
    if isinstance(error, AssertionError | SubjectFault | pytest.fail.Exception):
        if isinstance(error, AssertionError) and not isinstance(error, NotHeld) and _raised_in_library(info):
            return Verdict.BLOCKED, f"assertion in a library: {one_line(error)}"
        lines = redaction.text(str(error)).strip().splitlines()
        shown = one_line(lines[0] if lines and isinstance(error, AssertionError) else error)
        return refuted_if_alive(shown, alive)
    if isinstance(error, EnvironmentFault):
        return blocked(one_line(error), alive)
    if isinstance(error, LookupError | FileNotFoundError | AttributeError | TypeError):
        return Verdict.BLOCKED, one_line(f"a defect of the harness: {_described(info)}")
    return blocked(one_line(f"{type(error).__name__}: {error}"), alive)


def refuted_if_alive(shown: str, alive: Liveness) -> tuple[Verdict, str]:
    """Return refuted for what was ``shown``, or blocked where the environment is dead afterwards."""
    verdict, reason = blocked(shown, alive)
    return (verdict, reason) if tells_of_death(reason) else (Verdict.REFUTED, shown)


def blocked(shown: str, alive: Liveness) -> tuple[Verdict, str]:
    """Return blocked, by what was ``shown``, or by what of the environment is dead afterwards."""
    dead = _dead(alive)
    return Verdict.BLOCKED, f"{DEAD}: {dead}; seen before: {shown}" if dead else shown


def tells_of_death(reason: str) -> bool:
    """Return whether a check was kept from a verdict by something of the environment that had died."""
    return f"{DEAD}: " in reason


def _described(info: pytest.ExceptionInfo[BaseException]) -> str:
    """Return the error and the place of the check's code, or its helpers', that it comes from."""
    own = [each for each in info.traceback if not _in_library(Path(each.path))]
    place = own[-1] if own else info.traceback[-1]
    return f"{type(info.value).__name__}: {info.value} ({Path(place.path).name}:{place.lineno + 1})"


def _in_library(path: Path) -> bool:
    return any(path.resolve().is_relative_to(each) for each in LIBRARIES)


def _raised_in_library(info: pytest.ExceptionInfo[BaseException]) -> bool:
    return _in_library(Path(info.traceback[-1].path))


def _dead(alive: Liveness) -> str:
    try:
        reason = alive()
        return one_line(reason) if reason else ""
    except Exception as error:  # a liveness probe that breaks is no sign of life
        return one_line(error)
