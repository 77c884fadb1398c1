"""The build contexts of a recipe that have a name: what each stands for, and how a build here is given it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from boxproof.subject.model import Subject
from pytest_claims.faults import EnvironmentFault, SubjectFault
from pytest_claims.selection import is_directory, short

IMAGE = "docker-image://"  # how one names an image
MADE = re.compile(r"^(target|service):(.*)")  # what another target of Bake, or service of Compose, makes
ADDRESS = re.compile(r"^([a-z][a-z0-9+.-]*://|git@)")


def image(reference: str, contexts: Mapping[str, str]) -> str:
    """Return the image that a name stands for, "" where it stands for a build context that is none.

    ``contexts`` have their names in small letters.
    """
    told = contexts.get(reference.lower())
    if told is None:
        return reference
    return told.removeprefix(IMAGE) if told.startswith(IMAGE) else ""


def options(subject: Subject) -> list[str]:
    """Return the options that give a build its named contexts.

    Raises EnvironmentFault for one that another target makes.
    """
    words = []
    for name, told in subject.image.contexts.items():
        made = MADE.match(told)
        if made:
            hint = f'build it yourself, and name it: [image] contexts = {{{name} = "{IMAGE}…"}}'
            raise EnvironmentFault(f"the build context {name} is what {made[2]} makes", hint=hint)
        where = told if ADDRESS.match(told) else subject.directory / told
        words.append(f"--build-context={name}={where}")
    return words


def demand(subject: Subject) -> None:
    """Raise SubjectFault for a named context that is a directory by what is said, and not there."""
    for name, told in subject.image.contexts.items():
        if not (ADDRESS.match(told) or MADE.match(told) or is_directory(subject.directory / told)):
            hint = f"give a directory, an address, or {IMAGE}NAME"
            raise SubjectFault(f"image.contexts.{short(name)}={short(told)!r} is no directory", hint=hint)


def directories(subject: Subject) -> Iterator[tuple[str, Path]]:
    """Give the named contexts that are directories here."""
    for name, told in sorted(subject.image.contexts.items()):
        place = subject.directory / told
        if not (ADDRESS.match(told) or MADE.match(told)) and place.is_dir():
            yield name, place
