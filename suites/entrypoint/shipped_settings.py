"""What files set where a user says nothing: the mode in Compose, the level of the log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from boxproof.subject import variables
from boxproof.subject.manifests import shipped
from boxproof.subject.model import Subject

MODE = "CLAUDE_MODE"
LEVEL = re.compile(
    r"^[ \t-]*[\"']?\w*LOG_?LEVEL[\"']?[ \t]*[:=][ \t]*[\"']?(?:debug|trace)\b", re.IGNORECASE | re.MULTILINE
)


def modes(texts: Iterable[str]) -> list[str]:
    """Return the modes that stand in texts for one that the user leaves out."""
    every = (found for text in texts for found in variables.VARIABLE.finditer(text))
    told = (variables.value_of(found, {}) for found in every if variables.name_of(found) == MODE)
    return sorted({each for each in told if each})


def at_debug(texts: Mapping[str, str]) -> list[str]:
    """Return the texts, by their names, that set a level of debug or below, by default or outright."""
    return sorted(name for name, text in texts.items() if LEVEL.search(variables.filled(text)))


def composed(subject: Subject) -> dict[str, str]:
    """Return the Compose files of a subject as they are written, by their paths."""
    return _read(subject, shipped.compose(subject))


def settings(subject: Subject) -> dict[str, str]:
    """Return the files of a subject that set something for the box: of Compose, of objects, of values."""
    values = [str(path.relative_to(subject.directory)) for path in shipped.files(subject, "values*.yaml")]
    return composed(subject) | _read(subject, [*shipped.objects(subject), *values])


def _read(subject: Subject, names: Iterable[str]) -> dict[str, str]:
    paths = {name: subject.directory / name for name in names}
    return {name: path.read_text(errors="replace") for name, path in paths.items() if path.is_file()}
