"""What a recipe copies of its build context into the image by name: each file, and where it is put."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from boxproof.subject.image.dockerfile import Recipe, Step

# what a variable names, what lies elsewhere, what stands in the recipe
GIVEN = re.compile(r"\$|://|^git@|^<<")


@dataclass(frozen=True)
class Copied:
    """One source of a COPY or ADD, as seen from the context, "." for all of it; and its path in the image.

    Of a directory the content is put at ``below``.
    """

    source: str
    place: str
    below: str = ""


def of(recipe: Recipe) -> Iterator[Copied]:
    """Give each source of the build context that the layers of an image get by a COPY or ADD."""
    for stage in recipe.line:
        workdir = "/"
        for step in stage.steps:
            if step.word == "WORKDIR":
                workdir = posixpath.join(workdir, step.rest.strip("\"'"))
            if step.word in ("COPY", "ADD") and not step.option("from"):
                yield from _of_step(step, workdir)


def _of_step(step: Step, workdir: str) -> Iterator[Copied]:
    *sources, place = words(step.rest) or [""]
    into = place.endswith(("/", ".")) or len(sources) > 1
    for each in sources:
        if not GIVEN.search(each):
            name = posixpath.basename(each.rstrip("/"))
            whole = posixpath.join(workdir, place, name) if into else posixpath.join(workdir, place)
            below = posixpath.normpath(posixpath.join(workdir, place))
            yield Copied(posixpath.normpath(each.lstrip("/") or "."), posixpath.normpath(whole), below)


def words(rest: str) -> list[str]:
    """Return the words of a COPY or ADD behind its flags, also those of a list."""
    if rest.startswith("["):
        try:
            found = json.loads(rest)
        except ValueError:
            found = None
        if isinstance(found, list):
            return [str(each) for each in found]
    return [each.strip("\"'") for each in rest.split()]
