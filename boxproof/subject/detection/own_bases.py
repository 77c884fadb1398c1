"""The bases of a box that its own directory makes: as scripts, Compose files, Bake and workflows say."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from boxproof.subject.detection import bake, build_facts, task_files
from boxproof.subject.detection.directory import Directory
from boxproof.subject.detection.findings import Detected
from boxproof.subject.documented_commands import CONTINUED, values
from boxproof.subject.image.build_contexts import MADE
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


Told = Mapping[str, object]  # of a build: its context, its Dockerfile, its arguments
Maker = tuple[Path, Told, Path]  # a Dockerfile, what its build is told, and what the paths in that begin at


@dataclass(frozen=True)
class OwnBase:
    """A base that is made here: what the recipe calls it, and the Dockerfile that makes it.

    It is ``local`` where no registry can have it: by its name, or as a build context that a build here makes.
    """

    reference: str
    path: Path
    recipe: Recipe
    local: bool


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
        made = _made(here, recipe, base, {path, *(each.path for each in found)}) if base else None
        if made is None:
            break
        found.append(made)
        recipe = made.recipe
    return found


def beside(here: Directory, path: Path, recipe: Recipe) -> list[OwnBase]:
    """Return the images made here that a recipe takes files of, or that stages of it start from."""
    every = (_made(here, recipe, each, {path}) for each in dict.fromkeys(recipe.bases.values()))
    return [each for each in every if each is not None]


def _made(here: Directory, recipe: Recipe, base: str, known: set[Path]) -> OwnBase | None:
    """Return an image that a recipe takes where it is made here, by none of the ``known`` Dockerfiles."""
    given = MADE.match(recipe.contexts.get(base.lower(), ""))
    makers = _called(here, given[1], given[2]) if given else _makers(here, base)
    made = next((each for each in makers if each[0] not in known), None)
    read = _read(here, *made) if made else None
    return OwnBase(base, made[0], read, bool(given) or _is_local(base)) if made and read else None


def _read(here: Directory, path: Path, told: Told, place: Path) -> Recipe | None:
    """Return a base's recipe as its build is told, as it stands where there is no such stage in it."""
    contexts = build_facts.contexts(told.get("contexts") or told.get("additional_contexts"), place)
    args = build_facts.pairs(told.get("args"))
    return here.recipe(path, args, str(told.get("target") or ""), contexts) or here.recipe(path)


def _is_local(reference: str) -> bool:
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


def _makers(here: Directory, reference: str) -> Iterator[Maker]:
    """Give the Dockerfiles whose image the directory's own files call so, whatever the tag."""
    wanted = repository(reference)
    for path, service in _services(here):
        if _is_called(str(service.get("image", "")), wanted):
            yield from _told(here, (path.parent,), _build(service))
    for path in here.scripts:
        yield from _of_script(here, path, here.text(path), wanted)
    for each in (one for one in task_files.targets(here) if "build" in one.recipe):
        yield from _of_script(here, each.path, each.filled(each.recipe), wanted)
    for path, _, target in _targets(here):
        if any(_is_called(str(each), wanted) for each in target.get("tags") or ()):
            yield from _told(here, (path.parent, Path()), target)
    for path in sorted(each for one in WORKFLOWS for each in (here.root / one).glob("*.y*ml")):
        yield from _of_script(here, path.relative_to(here.root), here.text(path), wanted)
        yield from _of_workflow(here, path, wanted)


def _called(here: Directory, kind: str, name: str) -> Iterator[Maker]:
    """Give the Dockerfile of the target of Bake, or of the service of Compose, of a name."""
    for path, each, target in _targets(here):
        if kind == "target" and each == name:
            yield from _told(here, (path.parent, Path()), target)
    for path in here.composes:
        service = compose_file.services(here.root / path).get(name) or {}
        if kind == "service" and service.get("build"):
            yield from _told(here, (path.parent,), _build(service))


def _services(here: Directory) -> Iterator[tuple[Path, compose_file.Service]]:
    """Give the services of Compose that are built, with their files."""
    for path in here.composes:
        for service in compose_file.services(here.root / path).values():
            if service.get("build"):
                yield path, service


def _build(service: compose_file.Service) -> Told:
    build = service.get("build")
    return build if isinstance(build, dict) else {"context": build}


def _targets(here: Directory) -> Iterator[tuple[Path, str, bake.Target]]:
    """Give the targets of Bake with their files and names."""
    for path in (each for each in here.files if bake.NAMES.fullmatch(each.name)):
        yield from ((path, name, target) for name, target in bake.targets(path.suffix, here.text(path)))


def _is_called(tag: str, wanted: str) -> bool:
    """Return whether a tag is of an image; a registry or an owner may be a variable, its own name may not."""
    name = repository(FILLED_IN.sub("", EXPRESSION.sub("$X", tag)))
    if "$" not in name or "/" not in wanted or name.rpartition("/")[2] != wanted.rpartition("/")[2]:
        return name == wanted
    pattern = r"[\w./:-]+".join(re.escape(each) for each in VARIABLE.split(name))
    return re.fullmatch(pattern, wanted) is not None


def _told(here: Directory, places: Sequence[Path], told: Told) -> Iterator[Maker]:
    """Give the Dockerfile of a build that is told as Compose and Bake do it, as seen from directories."""
    for place in dict.fromkeys(places):
        context = place / str(told.get("context") or ".")
        yield from _here(here, context / str(told.get("dockerfile") or build_facts.RECIPE), told, place)


def _of_script(here: Directory, path: Path, text: str, wanted: str) -> Iterator[Maker]:
    for line in CONTINUED.sub(" ", text).splitlines():
        build = None if line.lstrip().startswith("#") else BUILDS.search(EXPRESSION.sub("$X", line))
        words = page_code.words(build["rest"]) if build else []
        if any(_is_called(each, wanted) for each in values(words, *TAGS)):
            context = BEFORE.sub("", words[-1]) or "."
            recipe = next((BEFORE.sub("", each) for each in values(words, *FILES)), f"{context}/Dockerfile")
            told = {"args": values(words, "--build-arg"), "target": next(iter(values(words, "--target")), "")}
            for place in (path.parent, Path()):  # a script's own directory, or the top
                yield from _here(here, place / recipe, told, place)


def _of_workflow(here: Directory, path: Path, wanted: str) -> Iterator[Maker]:
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
                file = told.get("file") or f"{told.get('context') or '.'}/{build_facts.RECIPE}"
                yield from _here(here, Path(str(file)), {"target": told.get("target")}, Path())


def _here(here: Directory, path: Path, told: Told, place: Path) -> Iterator[Maker]:
    found = Path(os.path.normpath(path))
    if found in here.files and is_one(found):
        yield found, told, place
