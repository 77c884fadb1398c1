"""The bases of a box that its own directory makes: as scripts, Compose files, Bake and workflows say."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from boxproof.subject.detection import bake
from boxproof.subject.detection.directory import Directory
from boxproof.subject.detection.findings import Detected
from boxproof.subject.documented_commands import CONTINUED, values
from boxproof.subject.image.dockerfile import Recipe, Step, is_one
from boxproof.subject.manifests import compose_file, page_code
from boxproof.subject.manifests.plain_yaml import mapping
from boxproof.subject.manifests.starting import repository
from boxproof.subject.parts import WORKFLOWS

BUILDS = re.compile(r"\b(?:docker|podman|nerdctl|buildah)\b[^\n;&|]*?\b(?:build|bud)\s+(?P<rest>[^\n;&|]*)")
TAGS, FILES = ("-t", "--tag"), ("-f", "--file")
BEFORE = re.compile(r"^(?:\$[({]?\w+[)}]?|\$\([^)]*\))/*")  # the directory that a script begins at
FILLED_IN = re.compile(r":\$.*$")  # a tag that a variable has
EXPRESSION = re.compile(r"\$\{\{[^}]*\}\}")  # of a workflow
OUTPUT = re.compile(r"\$\{\{\s*steps\.([\w-]+)\.outputs\.tags\s*\}\}")
VARIABLE = re.compile(r"\$[({]?\w+(?::?-[^)}]*)?[)}]?")
FROM = re.compile(r"(?<=\bfrom=)[^,\s]+")
FARTHEST = 4  # bases upon bases


@dataclass(frozen=True)
class OwnBase:
    """A base that is made here: what the recipe calls it, and the Dockerfile that makes it."""

    reference: str
    path: Path
    recipe: Recipe


def steps(here: Directory, found: Detected, path: Path, recipe: Recipe) -> list[Step]:
    """Return the steps of a recipe behind those of its bases that are made here; each of them is told."""
    line = [recipe]
    for each in below(here, path, recipe):
        line.insert(0, each.recipe)
        found.remarks.append(f"base: {each.path} makes {each.reference}, which has to be built first")
    return [step for each in line for stage in each.line for step in stage.steps]


def below(here: Directory, path: Path, recipe: Recipe) -> list[OwnBase]:
    """Return the bases of a recipe that are made here, the nearest first."""
    found: list[OwnBase] = []
    for _ in range(FARTHEST):
        base = recipe.line[0].base
        known = {path, *(each.path for each in found)}
        makers = (each for each in _makers(here, base) if each not in known) if base else iter(())
        made = next(makers, None)
        read = here.recipe(made) if made else None
        if made is None or read is None:
            break
        found.append(OwnBase(base, made, read))
        recipe = read
    return found


def is_local(reference: str) -> bool:
    """Return whether an image has a name as builds give it on a machine, with neither registry nor owner."""
    return "/" not in reference.removeprefix("localhost/")


def laid_under(recipe: Recipe, base: OwnBase) -> Recipe:
    """Return a recipe with the stages of its base before its own, as if one Dockerfile had them all."""
    names = {each.name: f"{base.path}:{each.name}".lower() for each in base.recipe.stages}
    names |= {str(at): names[each.name] for at, each in enumerate(base.recipe.stages)}
    names[base.recipe.final.name] = base.reference
    under = tuple(
        replace(
            each,
            name=names[each.name],
            base=each.base if each.external else names.get(each.base, each.base),
            steps=tuple(_renamed(step, names) for step in each.steps),
        )
        for each in base.recipe.stages
    )
    own = tuple(
        replace(each, external=False) if each.external and each.base == base.reference else each
        for each in recipe.stages
    )
    return replace(recipe, stages=(*under, *own))


def _renamed(step: Step, names: Mapping[str, str]) -> Step:
    """Return a step that takes files of stages with the names that these have now."""

    def other(found: re.Match[str]) -> str:
        return names.get(found[0].lower(), found[0])

    flags = [FROM.sub(other, each) for each in step.flags]
    return replace(step, value=" ".join((*flags, step.rest))) if flags else step


def _makers(here: Directory, reference: str) -> Iterator[Path]:
    """Give the Dockerfiles whose image the directory's own files call so, whatever the tag."""
    wanted = repository(reference)
    for path in here.composes:
        for service in compose_file.services(here.root / path).values():
            build = service.get("build")
            if build and _is_called(str(service.get("image", "")), wanted):
                told = build if isinstance(build, dict) else {"context": build}
                yield from _told(here, path.parent, told)
    for path in here.scripts:
        yield from _of_script(here, path, wanted)
    for path in (each for each in here.files if bake.NAMES.fullmatch(each.name)):
        for _, target in bake.targets(path.suffix, here.text(path)):
            if any(_is_called(str(each), wanted) for each in target.get("tags") or ()):
                for place in dict.fromkeys((path.parent, Path())):
                    yield from _told(here, place, target)
    for path in sorted(each for one in WORKFLOWS for each in (here.root / one).glob("*.y*ml")):
        yield from _of_script(here, path.relative_to(here.root), wanted)
        yield from _of_workflow(here, path, wanted)


def _is_called(tag: str, wanted: str) -> bool:
    """Return whether a tag is of an image; a registry or an owner may be a variable, its own name may not."""
    name = repository(FILLED_IN.sub("", EXPRESSION.sub("$X", tag)))
    if "$" not in name or "/" not in wanted or name.rpartition("/")[2] != wanted.rpartition("/")[2]:
        return name == wanted
    pattern = r"[\w./:-]+".join(re.escape(each) for each in VARIABLE.split(name))
    return re.fullmatch(pattern, wanted) is not None


def _told(here: Directory, place: Path, told: Mapping[str, object]) -> Iterator[Path]:
    """Give the Dockerfile of a build that is told as Compose and Bake do it, as seen from a directory."""
    context = place / str(told.get("context") or ".")
    yield from _here(here, context / str(told.get("dockerfile") or "Dockerfile"))


def _of_script(here: Directory, path: Path, wanted: str) -> Iterator[Path]:
    for line in CONTINUED.sub(" ", here.text(path)).splitlines():
        build = None if line.lstrip().startswith("#") else BUILDS.search(EXPRESSION.sub("$X", line))
        words = page_code.words(build["rest"]) if build else []
        if any(_is_called(each, wanted) for each in values(words, *TAGS)):
            context = BEFORE.sub("", words[-1]) or "."
            recipe = next((BEFORE.sub("", each) for each in values(words, *FILES)), f"{context}/Dockerfile")
            for place in (path.parent, Path()):  # a script's own directory, or the top
                yield from _here(here, place / recipe)


def _of_workflow(here: Directory, path: Path, wanted: str) -> Iterator[Path]:
    """Give the Dockerfiles that actions of a workflow build under a name, which may be another step's."""
    jobs = [each for one in compose_file.documents(path) for each in mapping(one.get("jobs")).values()]
    for job in map(mapping, jobs):
        listed = job.get("steps")
        steps = [mapping(each) for each in listed] if isinstance(listed, list) else []
        images = {str(each.get("id")): str(mapping(each.get("with")).get("images", "")) for each in steps}
        for told in (mapping(each.get("with")) for each in steps):
            tags = str(told.get("tags", ""))
            tags = "\n".join([tags, *(images.get(each, "") for each in OUTPUT.findall(tags))])
            if any(_is_called(each.strip(), wanted) for each in re.split(r"[\n,]", tags)):
                context = str(told.get("context") or ".")
                yield from _here(here, Path(str(told.get("file") or f"{context}/Dockerfile")))


def _here(here: Directory, path: Path) -> Iterator[Path]:
    place = Path(os.path.normpath(path))
    if place in here.files and is_one(place):
        yield place
