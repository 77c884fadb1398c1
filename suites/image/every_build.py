"""Every way in which a subject's own files build its image: other arguments and targets make other images.

By Compose, Bake and for development; by the commands of scripts and pipelines, and by actions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from boxproof.subject import documented_commands, variables
from boxproof.subject.detection import bake, build_facts, devcontainer
from boxproof.subject.detection.directory import Directory
from boxproof.subject.image import dockerfile
from boxproof.subject.image.dockerfile import Recipe
from boxproof.subject.manifests import compose_file, page_code, shipped
from boxproof.subject.manifests.plain_yaml import mapping
from boxproof.subject.model import Subject
from suites.image import build_scripts

PIPELINES = (
    ".github/workflows/*.y*ml", ".forgejo/workflows/*.y*ml", ".gitea/workflows/*.y*ml",
    ".github/actions/*/*.y*ml", "action.y*ml", ".gitlab-ci.yml", ".circleci/*.y*ml", ".ci/*",
    "azure-pipelines.y*ml", "Jenkinsfile",
)  # fmt: skip
BUILDS = re.compile(
    r"(?:\b(?:docker|podman|nerdctl|buildah|finch|depot)\b(?:[ \t]+[\w./:=@$-]+)*?[ \t]+(?:build|bud)"
    r"|kaniko/executor)[ \t]+(?P<rest>[^\n;&|`]*)"
)
ASSIGNED = re.compile(
    r"^[ \t]*(?:export[ \t]+|readonly[ \t]+)?(\w+)[ \t]*[:?]?=[ \t]*[\"']?([\w./:@-]+)[\"']?[ \t]*$",
    re.MULTILINE,
)
OF_MAKE = re.compile(r"\$\((\w+)\)")
# which a script finds for itself
DIRECTORY = re.compile(r"^(\$\{?\w+\}?|\$\([^()]*(?:\([^()]*\)[^()]*)*\))/?")
# options of a build without a value
PLAIN = frozenset(
    {
        "--pull", "--no-cache", "--push", "--load", "--quiet", "-q", "--rm", "--force-rm", "--squash",
        "--check", "--debug",
    }
)  # fmt: skip
ELSEWHERE = re.compile(r"^(-$|[a-z]+://|git@)")
# commands that build what a file of Compose or of Bake says, with other arguments than it has
OVER = re.compile(
    r"(?:\b(?:docker|podman)[ \t]+compose|\b(?:docker|podman)-compose)\b[^\n;&|`]*?[ \t]build\b"
    r"(?P<compose>[^\n;&|`]*)"
    r"|\bbake\b(?P<bake>[^\n;&|`]*)"
)
SET = re.compile(r"[\w*.-]+\.args\.(\w+=.*)")
# an argument on a command line, whoever builds; what a pipeline fills in has spaces
GIVEN = re.compile(
    r"(?:--build-arg[= ][ \t]*|--set[= ][ \t]*[\"']?[\w*.-]+\.args\.)[\"']?"
    r"(?P<given>\w+(?:=[\"']?(?:\$\{\{[^}]*\}\}|\$\([^()]*\)|[^\s\"'])*)?)"
)
ARGUMENTS = "build-args"  # of an action that builds

Build = Mapping[str, object]


def of(subject: Subject) -> dict[str, Recipe]:
    """Return the subject's recipe as each Compose file, Bake file, script and pipeline has it built.

    By where they do. Of what the user fills in, the recipe's own value is taken. A base that is made here
    has its own recipe before it.
    """
    here = Directory(subject.directory)
    found: dict[str, Recipe] = {}
    by_files = list(_told(here))
    over = [
        (f"{by}, {where}", place, {**told, "args": {**build_facts.pairs(told.get("args")), **args}})
        for by, args in _over(subject)
        for where, place, told in by_files
    ]
    for where, place, told in (*by_files, *over, *_by_commands(subject)):
        text = _text(here, subject, where, place, told)
        args = {**subject.image.args, **build_facts.pairs(told.get("args"))}
        contexts = {**subject.image.contexts, **build_facts.contexts(_contexts(told), place)}
        target = str(told.get("target") or "")
        recipe = dockerfile.read(text, args, target, contexts) if text else None
        found |= {where: build_scripts.on_own_bases(subject, recipe, spelled=False)} if recipe else {}
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


def arguments(subject: Subject) -> Iterator[tuple[str, str]]:
    """Give each argument that commands, actions, Compose and Bake give a build, and where: by its name.

    It is as it is written: ``NAME=value``, or ``NAME`` alone for what its user's environment says.
    """
    here = Directory(subject.directory)
    for where, _, told in _told(here):
        args = told.get("args")
        pairs = mapping(args).items() if isinstance(args, Mapping) else ()
        written = [f"{name}={value}" for name, value in pairs]
        written += map(str, args) if isinstance(args, list) else ()
        yield from ((where, each) for each in written)
    for path, text in _texts(subject).items():
        plain = documented_commands.CONTINUED.sub(" ", text)
        yield from ((str(path), each["given"]) for each in GIVEN.finditer(plain))
        if path.suffix in (".yml", ".yaml"):
            for document in compose_file.documents(subject.directory / path):
                yield from ((str(path), each) for options in _options(document) for each in _listed(options))


def _by_commands(subject: Subject) -> Iterator[tuple[str, Path, Build]]:
    """Give what each build is told, with where that stands and a directory that its paths may begin at.

    One of another target makes another image.
    """
    for where, place, made in _every(subject):
        if made.get("target") in ("", subject.image.target):
            yield where, place, made


def _over(subject: Subject) -> Iterator[tuple[str, dict[str, str]]]:
    """Give the arguments that a command has a file of Compose or of Bake build with, and where it stands."""
    for path, text in _texts(subject).items():
        plain = _filled(documented_commands.CONTINUED.sub(" ", text))
        for number, found in enumerate(OVER.finditer(plain), 1):
            compose = documented_commands.values(page_code.words(found["compose"] or ""), "--build-arg")
            bake = documented_commands.values(page_code.words(found["bake"] or ""), "--set")
            args = build_facts.pairs([*compose, *(each[1] for each in map(SET.fullmatch, bake) if each)])
            if args:
                yield f"{path}: build {number} of what a file says", args


def _every(subject: Subject) -> Iterator[tuple[str, Path, Build]]:
    for path, text in _texts(subject).items():
        plain = _filled(documented_commands.CONTINUED.sub(" ", text))
        for number, found in enumerate(BUILDS.finditer(plain), 1):
            made = _of_command(found["rest"])
            places = list(dict.fromkeys((Path(), path.parent))) if made else []
            yield from ((f"{path}: build {number}", place, made) for place in places)
        if path.suffix in (".yml", ".yaml"):
            for number, each in enumerate(_of_actions(subject.directory / path), 1):
                yield f"{path}: action {number}", Path(), each


def _texts(subject: Subject) -> dict[Path, str]:
    every = shipped.scripts(subject)
    every += [path for each in PIPELINES for path in sorted(subject.directory.glob(each)) if path.is_file()]
    return {path.relative_to(subject.directory): path.read_text(errors="replace") for path in every}


def _filled(text: str) -> str:
    """Return a text with the variables filled in that it gives a value itself, or a default."""
    known = dict(ASSIGNED.findall(text))
    return variables.filled(OF_MAKE.sub(r"${\1}", text), known)


def _of_command(rest: str) -> dict[str, object]:
    """Return what a command tells its builder, {} for a context that is elsewhere."""
    words = page_code.words(rest)
    context = next(iter(documented_commands.values(words, "--context")), _named(words))
    if ELSEWHERE.match(context):
        return {}
    file = next(iter(documented_commands.values(words, "-f", "--file", "--dockerfile")), "")
    return _build(
        context,
        file,
        args=documented_commands.values(words, "--build-arg"),
        target=next(iter(documented_commands.values(words, "--target")), ""),
        contexts=documented_commands.values(words, "--build-context"),
    )


def _named(words: Sequence[str]) -> str:
    """Return the context that a command names: its first word that is no option and no value of one."""
    before = ""
    for each in words:
        if not each.startswith("-") and (before in PLAIN or not before.startswith("-") or "=" in before):
            return each
        before = each
    return "-" if words[-1:] == ["-"] else "."


def _build(context: str, file: str, **more: object) -> dict[str, object]:
    """Return what a build is told; a file is named as seen from where it is called, not from its context."""
    inside = DIRECTORY.sub("", context) or "."
    named = os.path.relpath(DIRECTORY.sub("", file), inside) if file else build_facts.RECIPE
    return {"context": inside, "dockerfile": named, **more}


def _of_actions(path: Path) -> Iterator[Build]:
    """Give what the steps of a pipeline tell an action that builds."""
    for document in compose_file.documents(path):
        for options in _options(document):
            args = _listed(options)
            context, file = str(options.get("context") or "."), str(options.get("file") or "")
            if not ELSEWHERE.match(context):
                yield _build(context, file, args=args, target=str(options.get("target") or ""))


def _listed(options: Mapping[str, Any]) -> list[str]:
    """Return the arguments that an action is told, one a line."""
    lines = [each.strip() for each in str(options[ARGUMENTS]).splitlines()]
    return [each for each in lines if "=" in each and not each.startswith("#")]


def _options(value: Any) -> Iterator[dict[str, Any]]:
    """Give the options of each action that is told arguments of a build, however deep it stands."""
    if isinstance(value, dict):
        options = mapping(value.get("with"))
        if options.get(ARGUMENTS):
            yield options
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _options(each)
