"""What a recipe installs by a file of its context, and whether that, or a lock, holds the versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path, PurePosixPath

from boxproof.subject.image import copied_files
from boxproof.subject.image.dockerfile import Recipe, Stage, Step
from boxproof.subject.image.shell_commands import program
from suites.image import fixed_versions, version_lists
from suites.image.version_lists import CONSTRAINED, LISTED


@dataclass(frozen=True)
class Project:
    """How a program installs what the ``file`` of a project lists: by ``verbs``, held by one of ``locks``."""

    verbs: frozenset[str]
    file: str
    locks: tuple[str, ...]


PACKAGE, PYTHON = "package.json", "pyproject.toml"
PROJECTS: dict[str, Project] = {
    "npm": Project(frozenset({"install", "i", "ci"}), PACKAGE, ("package-lock.json", "npm-shrinkwrap.json")),
    "yarn": Project(frozenset({"install"}), PACKAGE, ("yarn.lock",)),
    "pnpm": Project(frozenset({"install", "i", "fetch"}), PACKAGE, ("pnpm-lock.yaml",)),
    "bun": Project(frozenset({"install", "i"}), PACKAGE, ("bun.lock", "bun.lockb")),
    "poetry": Project(frozenset({"install"}), PYTHON, ("poetry.lock",)),
    "uv": Project(frozenset({"sync"}), PYTHON, ("uv.lock",)),
    "bundle": Project(frozenset({"install"}), "Gemfile", ("Gemfile.lock",)),
    "composer": Project(frozenset({"install"}), "composer.json", ("composer.lock",)),
    "go": Project(frozenset({"mod"}), "go.mod", ("go.sum",)),
}
DOWNLOADS = frozenset({"download", "verify", "vendor", "tidy"})  # of `go mod`: the others install nothing
# options and verbs by which a program takes what there is that day, whatever its lock says
AROUND: dict[str, frozenset[str]] = {
    "npm": frozenset({
        "--no-package-lock", "--package-lock=false", "--no-shrinkwrap", "update", "upgrade", "up",
    }),
    "yarn": frozenset({"--no-lockfile", "upgrade", "up"}),
    "pnpm": frozenset({"--no-lockfile", "--lockfile=false", "update", "upgrade", "up"}),
    "bun": frozenset({"update"}),
    "uv": frozenset({"--upgrade", "-U"}),
    "poetry": frozenset({"update"}), "bundle": frozenset({"update"}), "composer": frozenset({"update"}),
}  # fmt: skip
CONDA = frozenset({"conda", "mamba", "micromamba"})
OF_CONDA = ("-f", "--file")
PYTHONS = frozenset({"pip", "uv", "pipx"})
# by which the lock of a project of Python's is followed, or made a list
FOLLOWED = {
    "uv": frozenset({"sync", "export"}), "poetry": frozenset({"install", "export"}),
    "pdm": frozenset({"install", "sync", "export"}), "pipenv": frozenset({"install", "sync", "requirements"}),
}  # fmt: skip
PLACES = fixed_versions.TAKES_VALUE | {"--cache-dir", "--src", "-f"}  # what follows is no project
REQUIRES = re.compile(r"^\s*(require\b|[\w.-]+\.[\w.-]+/\S+\s+v\d)", re.MULTILINE)  # of a go.mod
OWN = re.compile(r"(?P<place>\.{1,2}|(\.{0,2}/[\w-]+)+)/?(\[[\w,-]+\])?")  # a directory, and extras of it
LEFT_OUT = frozenset({"node_modules", "__pycache__"})
REPOSITORY = re.compile(r"\bgit\b.*\bclone\b|\btar\b|\bunzip\b")  # brings files that no context has
REMOTE = re.compile(r"^(https?|git|ssh)://|^git@")


def unheld(recipe: Recipe, context: Path) -> list[str]:
    """Return what a recipe installs by files of its ``context`` that hold no versions of it.

    A file that is not there is made by the build: it is not looked into.
    """
    files = Files(recipe, context)
    ran = [(stage, step) for stage in recipe.stages for step in stage.steps if step.word == "RUN"]
    every = [words for _, step in ran for words in step.commands]
    found: list[str] = []
    for stage, step in ran:
        there = sources(recipe, stage, step)
        found += [each for words in step.commands for each in _unheld(words, files, there)]
    return list(dict.fromkeys([*found, *_of_its_own(every, files)]))


@dataclass(frozen=True)
class Sources:
    """What of its context a stage has when a RUN begins, as COPY, ADD and mounts name it.

    ``others`` says that it has files of another stage or image too.
    """

    paths: frozenset[str]
    others: bool

    def has(self, path: str) -> bool:
        """Return whether one of the paths is, matches or contains a file of the context."""
        way = [path, *map(str, PurePosixPath(path).parents)]
        return any(fnmatch(each, one) for one in self.paths for each in way)


def sources(recipe: Recipe, stage: Stage, step: Step) -> Sources:
    """Return what a stage has of the context when one of its steps begins."""
    before = [one for each in recipe.line_of(stage)[:-1] for one in each.steps]
    copies = [*before, *stage.steps[: stage.steps.index(step)]]
    brought = [each for each in copies if each.word in ("COPY", "ADD")]
    mounts = [each for each in step.mounts if each.get("type", "bind") == "bind"]
    named = [source for each in brought if not each.option("from") for source in _named(each)]
    named += [each.get("source") or each.get("src") or "." for each in mounts if "from" not in each]
    elsewhere = any(each.option("from") for each in brought) or any("from" in each for each in mounts)
    paths = frozenset(str(PurePosixPath(each.lstrip("/") or ".")) for each in named)
    return Sources(paths, elsewhere or any("$" in each for each in paths))


def _named(step: Step) -> list[str]:
    """Return what a COPY or ADD brings, in either form."""
    return copied_files.words(step.rest)[:-1]


class Files:
    """The files of a build's context, as its recipe brings them into the image."""

    def __init__(self, recipe: Recipe, context: Path) -> None:
        self.context = context
        steps = [step for stage in recipe.stages for step in stage.steps]
        self.copied = {
            str(PurePosixPath(each))
            for step in steps
            if step.word in ("COPY", "ADD")
            for each in _named(step)
        }
        self.renamed = dict(pair for step in steps for pair in _renamed(step))
        self.has_others = any(
            (step.word == "RUN" and REPOSITORY.search(step.rest)) or (step.word == "ADD" and _is_remote(step))
            for step in steps
        )

    def called(self, name: str) -> list[Path]:
        """Return the files of a name, wherever: a COPY may put them anywhere."""
        every = sorted(self.context.rglob(name)) if name else []
        inside = [each for each in every if not LEFT_OUT & set(each.relative_to(self.context).parts)]
        return [each for each in inside if each.is_file()]

    def shown(self, path: Path) -> str:
        """Return a file's path in the context."""
        return path.relative_to(self.context).as_posix()

    def at(self, place: str) -> list[Path]:
        """Return the files that may be at a place of the image: those that a COPY names, or of its end."""
        source = self.context / self.renamed.get(PurePosixPath(place).name, "")
        if source.is_file():
            return [source]
        every = self.called(PurePosixPath(place).name)
        shown = {each: self.shown(each) for each in every}
        named = [each for each in every if shown[each] in self.copied]
        ends = f"/{place.lstrip('./')}"
        return named or [each for each in every if ends.endswith(f"/{shown[each]}")] or every


def _renamed(step: Step) -> Iterator[tuple[str, str]]:
    """Give the name that a COPY or ADD of the context puts a file under, and its path, where these differ."""
    words = copied_files.words(step.rest)
    if step.word in ("COPY", "ADD") and not step.option("from") and len(words) == 2:
        source, name = words[0].lstrip("/"), PurePosixPath(words[1]).name
        if not words[1].endswith(("/", ".")) and name != PurePosixPath(source).name:
            yield name, source


def _is_remote(step: Step) -> bool:
    return any(REMOTE.match(each.strip("\"'")) for each in step.rest.split())


def _unheld(words: Sequence[str], files: Files, there: Sources) -> Iterator[str]:
    name, rest = program(words[0]), list(words[1:])
    if name in ("pip", "uv") and "install" in rest:
        bounds = _bounds(rest, files)
        for path in _lists(rest, LISTED, files):
            every = version_lists.loose(version_lists.requirements(path))
            found = (each for each in every if version_lists.package(each) not in bounds)
            yield from (f"{path.name}: {each}" for each in found)
    if name in CONDA:
        listed = [path for path in _told(rest, OF_CONDA, files) if path.is_file()]
        loose = ((path, each) for path in listed for each in version_lists.loose_of_conda(_text(path)))
        yield from (f"{path.name}: {each}" for path, each in loose)
    project = PROJECTS.get(name)
    if _goes_around(name, rest):
        yield f"{' '.join(words)}: takes what there is that day, whatever a lock says"
    elif project and _installs(name, rest, project) and not _is_held(project, files, there):
        yield f"{' '.join(words)}: no {' or '.join(project.locks)}"


def _text(path: Path) -> str:
    return version_lists.text_of(path)


def _bounds(rest: Sequence[str], files: Files) -> set[str]:
    """Return the packages to which the constraints of a command, or of its lists, give a version."""
    told = [*_told(rest, CONSTRAINED, files)]
    every = {one for path in _lists(rest, LISTED, files) for one in _included(path, CONSTRAINED)}
    return {each for path in (*told, *every) for each in version_lists.held(_text(path))}


def _included(path: Path, options: Sequence[str]) -> list[Path]:
    return version_lists.with_included(path, options)[1:]


def _lists(rest: Sequence[str], options: Sequence[str], files: Files) -> list[Path]:
    """Return the lists that options of a command name, and those that these name themselves."""
    every = [one for path in _told(rest, options, files) for one in version_lists.with_included(path, LISTED)]
    return list(dict.fromkeys(every))


def _goes_around(name: str, rest: Sequence[str]) -> bool:
    """Return whether a command of a project takes newer versions than those of its lock."""
    around, project = AROUND.get(name, frozenset()), PROJECTS.get(name)
    verb = next((each for each in rest if not each.startswith("-")), "")
    installs = project is not None and (_installs(name, rest, project) or verb == "lock")
    return verb in around or (installs and bool(around & set(rest)))


def _of_its_own(every: Sequence[Sequence[str]], files: Files) -> Iterator[str]:
    """Give what a project of Python is installed with that neither its own file nor a list holds.

    A list that the build makes, or the lock of a project, may hold all of it.
    """
    installs = [words for words in every if program(words[0]) in PYTHONS and "install" in words]
    lists = [path for words in installs for path in _lists(words, (*LISTED, *CONSTRAINED), files)]
    held = {each for path in lists for each in version_lists.held(_text(path))}
    named = [each.partition("=")[0] for words in installs for each in words]
    made = not lists and bool({*LISTED, *CONSTRAINED} & set(named))
    by_lock = any(FOLLOWED.get(program(words[0]), frozenset()) & set(words[1:]) for words in every)
    for words in installs:
        alone = "--no-deps" in words or made or by_lock
        for path in [] if alone else list(_projects(words, files)):
            listed = version_lists.loose(version_lists.requirements(path))
            found = (each for each in listed if version_lists.package(each) not in held)
            yield from (f"{path.name}: {each}" for each in found)


def _projects(words: Sequence[str], files: Files) -> Iterator[Path]:
    """Give the file of each project that a command installs out of a directory, where it is clear which."""
    for before, word in pairwise(words):
        place = OWN.fullmatch(word) if before not in PLACES else None
        found = files.at(f"{place['place']}/{PYTHON}") if place else []
        yield from found if len(found) == 1 else ()


def _installs(name: str, rest: Sequence[str], project: Project) -> bool:
    """Return whether a command installs a project: a name behind the verb is another's matter."""
    named = [each for each in rest if not each.startswith("-")]
    if name == "go":
        return named[:1] == ["mod"] and bool(DOWNLOADS & set(named[1:2]))
    return named[:1] != [] and named[0] in project.verbs and (len(named) == 1 or name == "bundle")


def _is_held(project: Project, files: Files, there: Sources) -> bool:
    """Return whether a lock holds a project, which may be of what the build brings from elsewhere.

    One that a RUN does not have yet, while it has the project's own file, holds nothing. One of Go without
    requirements has none.
    """
    locks = [files.shown(one) for each in project.locks for one in files.called(each)]
    listed = files.called(project.file)
    if project.file == "go.mod" and listed and not any(REQUIRES.search(_text(each)) for each in listed):
        return True
    if not locks:
        return files.has_others and not listed
    alone = any(there.has(files.shown(each)) for each in listed) and not there.others
    return not alone or any(map(there.has, locks))


def _told(words: Sequence[str], options: Sequence[str], files: Files) -> Iterator[Path]:
    """Give the files that options of a command name, as the context has them."""
    for at, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in options:
            yield from files.at(value if equals else next(iter(words[at + 1 : at + 2]), ""))
