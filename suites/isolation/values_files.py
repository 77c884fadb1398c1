"""The files of values that ship with a chart beside its own: examples, and what is for one use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boxproof.subject.manifests import compose_file, shipped
from boxproof.subject.model import Subject

OWN = "values.yaml"


def beside(subject: Subject, chart: Path) -> list[Path]:
    """Return the files whose every key is one of the chart's own values."""
    keys = set(next(compose_file.documents(chart / OWN), {}))
    found = []
    for path in shipped.files(subject, "*.yaml", "*.yml"):
        told = list(compose_file.documents(path))
        if path != chart / OWN and len(told) == 1 and are_values(told[0], keys):
            found.append(path)
    return found


def are_values(told: Mapping[str, Any], keys: set[str]) -> bool:
    """Return whether a file's content is values of a chart that has these keys."""
    return bool(told) and set(told) <= keys
