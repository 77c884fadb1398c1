"""What a recipe installs by a file of its context, and whether that, or a lock, holds the versions."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from boxproof.subject.documented_commands import CONTINUED
from boxproof.subject.image.dockerfile import Recipe, Step
from boxproof.subject.image.shell_commands import program


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
LISTED = ("-r", "--requirement", "--requirements")
CONSTRAINED = ("-c", "--constraint", "--constraints")
HELD = re.compile(r"(===?|@)\s*\S|--hash=")
REQUIRES = re.compile(r"^\s*(require\b|[\w.-]+\.[\w.-]+/\S+\s+v\d)", re.MULTILINE)  # of a go.mod
NAMED = re.compile(r"^[\w.-]+")  # a package, at the beginning of a line of requirements
LEFT_OUT = frozenset({"node_modules", "__pycache__"})
REPOSITORY = re.compile(r"\bgit\b.*\bclone\b|\btar\b|\bunzip\b")  # brings files that no context has
REMOTE = re.compile(r"^(https?|git|ssh)://|^git@")
ENCODINGS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))  # as shells of Windows write


def unheld(recipe: Recipe, context: Path) -> list[str]:
    """Return what a recipe installs by files of its ``context`` that hold no versions of it.

    A file that is not there is made by the build: it is not looked into.
    """
    files = Files(recipe, context)
    steps = (step for stage in recipe.stages for step in stage.steps if step.word == "RUN")
    commands = [words for step in steps for words in step.commands]
    return list(dict.fromkeys(each for words in commands for each in _unheld(words, files)))


class Files:
    """The files of a build's context, as its recipe brings them into the image."""

    def __init__(self, recipe: Recipe, context: Path) -> None:
        self.context = context
        steps = [step for stage in recipe.stages for step in stage.steps]
        self.copied = {
            str(PurePosixPath(each.strip("\"',[]")))
            for step in steps
            if step.word in ("COPY", "ADD")
            for each in step.rest.split()[:-1]
        }
        self.has_others = any(
            (step.word == "RUN" and REPOSITORY.search(step.rest)) or (step.word == "ADD" and _is_remote(step))
            for step in steps
        )

    def called(self, name: str) -> list[Path]:
        """Return the files of a name, wherever: a COPY may put them anywhere."""
        every = sorted(self.context.rglob(name)) if name else []
        inside = [each for each in every if not LEFT_OUT & set(each.relative_to(self.context).parts)]
        return [each for each in inside if each.is_file()]

    def at(self, place: str) -> list[Path]:
        """Return the files that may be at a place of the image: those that a COPY names, or of its end."""
        every = self.called(PurePosixPath(place).name)
        shown = {each: each.relative_to(self.context).as_posix() for each in every}
        named = [each for each in every if shown[each] in self.copied]
        ends = f"/{place.lstrip('./')}"
        return named or [each for each in every if ends.endswith(f"/{shown[each]}")] or every


def _is_remote(step: Step) -> bool:
    return any(REMOTE.match(each.strip("\"'")) for each in step.rest.split())


def _unheld(words: Sequence[str], files: Files) -> Iterator[str]:
    name, rest = program(words[0]), list(words[1:])
    if name in ("pip", "uv") and "install" in rest:
        bounds = {each for path in _told(rest, CONSTRAINED, files) for each in _held(text_of(path))}
        for path in _told(rest, LISTED, files):
            found = (each for each in loose(requirements(path)) if _package(each) not in bounds)
            yield from (f"{path.name}: {each}" for each in found)
    project = PROJECTS.get(name)
    if project and _installs(name, rest, project) and not _is_held(project, files):
        yield f"{' '.join(words)}: no {' or '.join(project.locks)}"


def _installs(name: str, rest: Sequence[str], project: Project) -> bool:
    """Return whether a command installs a project: a name behind the verb is another's matter."""
    named = [each for each in rest if not each.startswith("-")]
    if name == "go":
        return named[:1] == ["mod"] and bool(DOWNLOADS & set(named[1:2]))
    return named[:1] != [] and named[0] in project.verbs and (len(named) == 1 or name == "bundle")


def _is_held(project: Project, files: Files) -> bool:
    """Return whether a lock holds a project, which may be of what the build brings from elsewhere.

    One of Go without requirements has none.
    """
    if any(files.called(each) for each in project.locks):
        return True
    listed = files.called(project.file)
    if project.file == "go.mod" and listed:
        return not any(REQUIRES.search(text_of(each)) for each in listed)
    return files.has_others and not listed


def _told(words: Sequence[str], options: Sequence[str], files: Files) -> Iterator[Path]:
    """Give the files that options of a command name, as the context has them."""
    for at, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in options:
            yield from files.at(value if equals else next(iter(words[at + 1 : at + 2]), ""))


def text_of(path: Path) -> str:
    """Return what a file says, in whatever encoding."""
    read = path.read_bytes()
    named = next((each for mark, each in ENCODINGS if read.startswith(mark)), "utf-8-sig")
    return read.decode(named, errors="replace")


def requirements(path: Path) -> str:
    """Return what a file lists, a line for each: a project's own file lists its dependencies."""
    text = text_of(path)
    if path.suffix != ".toml":
        return text
    try:
        project = tomllib.loads(text).get("project")
    except tomllib.TOMLDecodeError:
        return ""
    listed = project.get("dependencies") if isinstance(project, dict) else None
    return "\n".join(map(str, listed)) if isinstance(listed, list) else ""


def loose(text: str) -> list[str]:
    """Return the lines of a file of requirements that name a package in no version."""
    return [each for each in _lines(text) if not HELD.search(each)]


def _held(text: str) -> set[str]:
    """Return the packages that a file of constraints gives a version."""
    return {_package(each) for each in _lines(text) if HELD.search(each)}


def _package(line: str) -> str:
    found = NAMED.match(line)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else line


def _lines(text: str) -> list[str]:
    joined = CONTINUED.sub(" ", text.replace("\r\n", "\n"))
    every = (re.sub(r"(^|\s)#.*", "", each).strip() for each in joined.splitlines())
    return [each for each in every if each and not each.startswith(("-", ".", "/"))]
