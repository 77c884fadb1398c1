"""What a run left, read back: an object of JSON that says its version, and is of the kind asked for."""

from __future__ import annotations

import errno
import json
import math
from pathlib import Path
from typing import Any

# what a file of each kind has and no other, and what it is then
KINDS = {
    "sabotages": "a kill table",
    "cells": "a matrix",
    "claims": "the results of a run",
    "measures": "a benchmark",
    "steps": "a release",
}


def read_object(path: Path, newest: int, mark: str) -> dict[str, Any]:
    """Return the object in a file of a run; ``mark`` is the key of its kind, ``newest`` its version.

    Raises OSError for no plain file, ValueError for what is no such object or of a version after ``newest``.
    """
    if not path.is_file():
        raise OSError(errno.EINVAL, "no plain file", str(path))
    try:
        data = loads(path.read_text())
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    keys = data.keys() if isinstance(data, dict) else ()
    other = next((told for key, told in KINDS.items() if key in keys), "")
    if mark not in keys and other:
        raise ValueError(f"it is {other}, not {KINDS[mark]}")
    demand_version(data, newest)
    return dict(data)


def loads(text: str) -> Any:
    """Return what a text of JSON says; raises ValueError for NaN and the like too, which JSON has not."""
    return json.loads(text, parse_float=_finite, parse_constant=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is no number that JSON has")
    return number


def is_later(data: object, newest: int) -> bool:
    """Return whether an object is of a version after ``newest``."""
    version = data.get("schema") if isinstance(data, dict) else None
    return type(version) is int and version > newest


def demand_version(data: object, newest: int) -> None:
    """Raise ValueError for what is no object with a version that can be read."""
    if not isinstance(data, dict):
        raise ValueError("it is no object of JSON")
    if "schema" not in data:
        raise ValueError("schema is missing, the version of its form")
    version = data["schema"]
    if type(version) is not int or not 1 <= version <= newest:
        later = ": a later boxproof wrote it" if is_later(data, newest) else ""
        raise ValueError(f"schema={str(version)[:20]!r}: this version reads {newest}{later}")
