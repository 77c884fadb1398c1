"""Paths that people give in options and variables: made absolute, or told with what gave them."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_claims.faults import UsageError
from pytest_claims.selection import is_directory, is_file, short, there


def at_home(value: str) -> Path:
    """Return a path with the home in the place of ~; for a user who has none ~ stays: Path raises there."""
    return Path(os.path.expanduser(value))  # noqa: PTH111


def resolved(shown: str, value: str) -> Path:
    """Return an absolute path, of a loop of links too; raises UsageError for one that cannot be told."""
    try:
        found = os.path.realpath(at_home(value))
        found.encode()  # it stands in files that are UTF-8
    except UnicodeEncodeError as error:
        hint = "its name is not UTF-8: rename it, or give a link to it"
        raise UsageError(f"{shown}={short(value)!r}", hint=hint) from error
    except OSError as error:  # of the working directory, once that is removed
        where = error.filename or "the working directory"
        told = f"{shown}={short(value)!r}: {where}: {error.strerror}"
        raise UsageError(told, hint="give another") from error
    return Path(found)


def existing(shown: str, value: str, hint: str) -> str:
    """Return the path of a file that there is; raises UsageError with what to give."""
    path = resolved(shown, value)
    if not is_file(path):
        raise UsageError(f"{shown}={short(value)!r}", hint=hint)
    if not os.access(path, os.R_OK):
        raise UsageError(f"{shown}={short(value)!r} may not be read", hint=hint)
    return str(path)


def emptied(shown: str, value: str, kept: Path) -> Path:
    """Return a directory that is emptied on request; raises UsageError where other things are in it.

    ``kept`` is the checkout: it, the home and what they are in are nobody's cache.
    """
    path = resolved(shown, value)
    for each in (kept, at_home("~")):
        if Path(os.path.realpath(each)).is_relative_to(path):
            hint = "give a directory of its own: inv clean removes what is in it"
            raise UsageError(f"{shown}={short(value)!r}: {each} is in it", hint=hint)
    return path


def cache(shown: str, value: str, kept: Path) -> Path:
    """Return the directory of a cache as ``emptied`` does; raises UsageError for a file in its place too."""
    path = emptied(shown, value, kept)
    if (there(path) or there(at_home(value))) and not is_directory(path):
        raise UsageError(
            f"{shown}={short(value)!r} is no directory", hint="give one, or where one can be made"
        )
    return path


def directory(shown: str, value: str, mode: int, hint: str) -> Path:
    """Return a directory that allows ``mode`` (as ``os.access``), or that can be made; raises UsageError."""
    path, told = resolved(shown, value), f"{shown}={short(value)!r}"
    if is_directory(path):
        if not os.access(path, mode | os.X_OK):
            what = "written to" if mode & os.W_OK else "read"
            raise UsageError(f"{told} may not be {what}", hint=hint)
        return path
    if there(at_home(value)):
        raise UsageError(f"{told} is no directory", hint=hint)
    above = next(each for each in path.parents if there(each))
    if not is_directory(above) or not os.access(above, os.W_OK | os.X_OK):
        raise UsageError(f"{told} cannot be made in {above}", hint=hint)
    return path
