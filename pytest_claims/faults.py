"""The kinds of failure, told apart by type: who is wrong decides the verdict and the exit code."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any, get_args

from pytest_claims.recording import redaction


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


def nearest(word: str, allowed: Iterable[str], begin: str = "") -> str:
    """Return ", did you mean …?" for the nearest of ``allowed``, or the whole list.

    ``begin`` stands before each of them: what all begin with makes no two alike.
    """
    names = {each.lower(): each for each in sorted(allowed)}
    close = difflib.get_close_matches(word.strip().lower(), names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {begin + names[close[0]]!r}?"
    return f"allowed: {', '.join(begin + each for each in names.values())}"


MOST_MISTAKES = 8  # of one file, in one line
WANTED = {  # by the beginning of pydantic's word for a mistake
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "string_too_long": "",  # pydantic says how long it may be
    "string_pattern": "must be lower-case letters, digits and dashes",
    "string_": "must be text in quotes",
    "int_": "must be a whole number",
    "float_": "must be a number",
    "bool_": "must be true or false",
    "tuple_": "must be a list, [...]",
    "list_": "must be a list, [...]",
    "dict_": "must be a table",
    "model_": "must be a table",
    "date_": "must be a date, as 2026-12-31 without quotes",
}


def mistakes(errors: Iterable[Mapping[str, Any]], model: Any) -> str:
    """Return all that pydantic found wrong with a file, in one line: ``errors`` of a ``model``."""
    told = [_mistake(each, _fields_at(model, each["loc"][:-1])) for each in errors]
    more = f"; and {len(told) - MOST_MISTAKES} more" if len(told) > MOST_MISTAKES else ""
    return "; ".join(told[:MOST_MISTAKES]) + more


def _fields_at(model: Any, place: Iterable[Any]) -> list[str]:
    """Return the names that are known at a place of a model; none where any may be."""
    for step in place:
        field = getattr(model, "model_fields", {}).get(step)
        told = getattr(field, "annotation", None)
        model = next((each for each in (told, *get_args(told)) if hasattr(each, "model_fields")), None)
    return list(getattr(model, "model_fields", ()))


def _mistake(error: Mapping[str, Any], known: list[str]) -> str:
    *above, last = map(str, error["loc"])
    place = above[:-1] if last == "[key]" else [*above, last]  # pydantic's word for the key of a table
    where, kind = one_line(".".join(place), 80), str(error["type"])
    if kind == "extra_forbidden":
        return f"unknown {where!r}: {nearest(str(error['loc'][-1]), known)}"
    if kind == "missing":
        return f"{where} is missing"
    wanted = next((told for start, told in WANTED.items() if kind.startswith(start)), "")
    if not wanted:
        wanted = str(error["msg"]).removeprefix("Value error, ").replace("Input should", "must")
    if kind == "string_too_short" and error["ctx"]["min_length"] > 1:
        wanted = f"must have at least {error['ctx']['min_length']} characters"
    value = error.get("input")
    shown = f"={one_line(repr(value), 60)}" if isinstance(value, str | int | float | bool) else ""
    return f"{where}: the key {shown[1:]}: {wanted}" if last == "[key]" else f"{where}{shown}: {wanted}"


def one_line(error: BaseException | str, limit: int = 300) -> str:
    """Return the text of ``error`` as one line of at most ``limit`` characters."""
    text = redaction.text(str(error).strip() or type(error).__name__)  # before it is cut
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def unread(error: BaseException) -> str:
    """Return why a file of JSON could not be read, of all that pydantic found wrong the first."""
    told = getattr(error, "errors", None)
    if told is None:
        return one_line(error.strerror or error) if isinstance(error, OSError) else one_line(error)
    first = told()[0]
    where, value = ".".join(map(str, first["loc"])), first.get("input")
    shown = f"={one_line(repr(value), 60)}" if isinstance(value, str | int | float | bool) else ""
    if first["type"] == "literal_error" and where == "schema":
        return f"schema{shown}: this version reads {first['ctx']['expected']}"
    return f"{where or 'it'}{shown}: {first['msg'].replace('Input should', 'must')}"


def no_room(error: OSError) -> bool:
    """Return whether a disk was full, or a quota: that is nobody's wrong usage."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


class EnvironmentFault(BoxproofError):
    """The environment or the probe is broken, so nothing is known about the subject: blocked."""


class DeadlineExceeded(EnvironmentFault):
    """A state did not come within its deadline."""


class Unprovable(BoxproofError):
    """What a check needs cannot be had here, whoever would be right: unproven."""

    exit_code = ExitCode.UNPROVEN


class SubjectFault(BoxproofError):
    """The subject ended in a terminal state of its own making: refuted.

    Where that ends a whole run, ``spoils`` names the parts of the subject that are nothing any more: claims
    that need one of them are refuted, the others not judged. None is all of it.
    """

    exit_code = ExitCode.REFUTED

    def __init__(self, message: str, *, hint: str = "", spoils: frozenset[str] | None = None) -> None:
        super().__init__(message, hint=hint)
        self.spoils = spoils


class NotHeld(AssertionError):
    """A requirement did not hold: refuted."""
