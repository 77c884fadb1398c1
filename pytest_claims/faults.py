"""The kinds of failure, told apart by type: who is wrong decides the verdict and the exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the e2e, matrix and sabotage commands (docs/contracts.md)."""

    ACCEPTED = 0
    REFUTED = 1
    USAGE = 2
    BLOCKED = 3
    UNPROVEN = 4
    INTERRUPTED = 130


class BoxproofError(Exception):
    """A failure that is explained in one line, with the next step as ``hint``."""

    exit_code = ExitCode.BLOCKED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(BoxproofError):
    """What was asked for is wrong: the message names the value and what is allowed."""

    exit_code = ExitCode.USAGE


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return ", did you mean …?" for the nearest of ``allowed``, or the whole list."""
    names = sorted(allowed)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"allowed: {', '.join(names)}"


def one_line(error: BaseException | str, limit: int = 300) -> str:
    """Return the text of ``error`` as one line of at most ``limit`` characters."""
    text = str(error).strip() or type(error).__name__
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


class EnvironmentFault(BoxproofError):
    """The environment or the probe is broken, so nothing is known about the subject: blocked."""


class DeadlineExceeded(EnvironmentFault):
    """A state did not come within its deadline."""


class Unprovable(BoxproofError):
    """What a check needs cannot be had here, whoever would be right: unproven."""

    exit_code = ExitCode.UNPROVEN


class SubjectFault(BoxproofError):
    """The subject ended in a terminal state of its own making: refuted."""

    exit_code = ExitCode.REFUTED


class NotHeld(AssertionError):
    """A requirement did not hold: refuted."""
