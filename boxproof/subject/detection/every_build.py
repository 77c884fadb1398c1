"""Every way in which a subject's own files build its image: other arguments and targets make other images."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from boxproof.subject.detection import bake, build_facts, devcontainer, told_builds
from boxproof.subject.detection.directory import Directory
from boxproof.subject.image import dockerfile
from boxproof.subject.image.dockerfile import Recipe
from boxproof.subject.manifests import compose_file
from boxproof.subject.manifests.plain_yaml import mapping
from boxproof.subject.model import Subject

Build = Mapping[str, object]


def of(subject: Subject) -> dict[str, Recipe]:
    """Return the subject's recipe as each Compose file, Bake file, script and pipeline has it built.

    By where they do. Of what the user fills in, the recipe's own value is taken.
    """
    here = Directory(subject.directory)
    found: dict[str, Recipe] = {}
    by_files = list(_told(here))
    over = [
        (f"{by}, {where}", place, {**told, "args": {**build_facts.pairs(told.get("args")), **args}})
        for by, args in told_builds.told_over(subject)
        for where, place, told in by_files
    ]
    for where, place, told in (*by_files, *over, *told_builds.told(subject)):
        text = _text(here, subject, where, place, told)
        args = {**subject.image.args, **build_facts.pairs(told.get("args"))}
        contexts = {**subject.image.contexts, **build_facts.contexts(_contexts(told), place)}
        target = str(told.get("target") or "")
        recipe = dockerfile.read(text, args, target, contexts) if text else None
        found |= {where: recipe} if recipe else {}
    return found


def _told(here: Directory) -> Iterator[tuple[str, Path, Build]]:
    """Give what each build is told, with where that stands and the directory that its paths begin at."""
    for path in here.composes:
        for name, service in compose_file.services(here.root / path).items():
            build = service.get("build")
            told = {"context": build} if isinstance(build, str) else mapping(build)
            if told:
                yield f"{path}: {name}", path.parent, told
    for path, told in devcontainer.files(here):
        own = mapping(told.get("build"))
        named = own.get("dockerfile") or told.get("dockerFile")
        if named:
            context = path.parent / str(own.get("context") or told.get("context") or ".")
            recipe = os.path.relpath(path.parent / str(named), context)
            yield str(path), Path(), {**own, "context": str(context), "dockerfile": recipe}
    for path in (each for each in here.files if bake.NAMES.fullmatch(each.name)):
        for name, target in bake.targets(path.suffix, here.text(path)):
            yield f"{path}: {name}", Path(), target


def _text(here: Directory, subject: Subject, where: str, place: Path, told: Build) -> str:
    """Return the Dockerfile of a build, "" where it is of another image than the subject's."""
    inline = told.get("dockerfile_inline")
    if inline:
        return str(inline) if where.endswith(f": {subject.compose.service}") else ""
    context = place / str(told.get("context") or ".")
    recipe = os.path.normpath(context / str(told.get("dockerfile") or build_facts.RECIPE))
    return here.text(Path(recipe)) if recipe == os.path.normpath(subject.image.dockerfile) else ""


def _contexts(told: Build) -> object:
    return told.get("additional_contexts") or told.get("contexts")
