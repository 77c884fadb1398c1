"""The bases of a box that its own directory makes: by which Dockerfile, as scripts and Compose files say."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from boxproof.subject.detection.directory import Directory
from boxproof.subject.detection.findings import Detected
from boxproof.subject.documented_commands import CONTINUED, values
from boxproof.subject.image.dockerfile import Recipe, Step, is_one
from boxproof.subject.manifests import compose_file, shipped
from boxproof.subject.manifests.starting import repository

BUILDS = re.compile(r"\b(?:docker|podman|nerdctl|buildah)\b[^\n;&|]*?\b(?:build|bud)\s+(?P<rest>[^\n;&|]*)")
TAGS, FILES = ("-t", "--tag"), ("-f", "--file")
BEFORE = re.compile(r"^(?:\$[({]?\w+[)}]?|\$\([^)]*\))/*")  # the directory that a script begins at
FILLED_IN = re.compile(r":\$.*$")  # a tag that a variable has
FARTHEST = 4  # bases upon bases


def steps(here: Directory, found: Detected, path: Path, recipe: Recipe) -> list[Step]:
    """Return the steps of a recipe behind those of its bases that are made here; each of them is told."""
    line = [recipe]
    known = {path}
    for _ in range(FARTHEST):
        base = line[0].line[0].base
        made = next(_makers(here, base), None) if base else None
        below = here.recipe(made) if made and made not in known else None
        if made is None or below is None:
            break
        known.add(made)
        line.insert(0, below)
        alone = f"which has to be built first; claims about recipes are of {path} alone"
        found.remarks.append(f"base: {made} makes {base}, {alone}")
    return [step for each in line for stage in each.line for step in stage.steps]


def _makers(here: Directory, reference: str) -> Iterator[Path]:
    """Give the Dockerfiles whose image a Compose file or a script calls so, whatever the tag."""
    wanted = repository(reference)
    for path in here.composes:
        for service in compose_file.services(here.root / path).values():
            build = service.get("build")
            if build and repository(FILLED_IN.sub("", str(service.get("image", "")))) == wanted:
                told = build if isinstance(build, dict) else {"context": build}
                context = path.parent / str(told.get("context") or ".")
                yield from _here(here, context / str(told.get("dockerfile") or "Dockerfile"))
    for path in here.files:
        if any(path.match(each) for each in shipped.SCRIPTS):
            yield from _of_script(here, path, wanted)


def _of_script(here: Directory, path: Path, wanted: str) -> Iterator[Path]:
    for line in CONTINUED.sub(" ", here.text(path)).splitlines():
        build = None if line.lstrip().startswith("#") else BUILDS.search(line)
        words = _words(build["rest"]) if build else []
        if wanted in {repository(FILLED_IN.sub("", each)) for each in values(words, *TAGS)}:
            context = BEFORE.sub("", words[-1]) or "."
            recipe = next((BEFORE.sub("", each) for each in values(words, *FILES)), f"{context}/Dockerfile")
            for place in (path.parent, Path()):  # a script's own directory, or the top
                yield from _here(here, place / recipe)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return text.split()


def _here(here: Directory, path: Path) -> Iterator[Path]:
    place = Path(os.path.normpath(path))
    if place in here.files and is_one(place):
        yield place
