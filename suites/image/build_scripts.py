"""What a recipe carries out of scripts: those of its build contexts, and those that it writes itself."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from boxproof.subject.detection import own_bases
from boxproof.subject.detection.directory import Directory
from boxproof.subject.image import build_contexts, dockerfile, shell_commands
from boxproof.subject.image.dockerfile import Recipe, Step
from boxproof.subject.manifests.shipped import BY_A_SHELL, LARGEST
from boxproof.subject.model import Subject

DEEPEST = 4  # scripts that one after another starts
LEFT_OUT = frozenset({"node_modules", ".git", "__pycache__", ".venv"})
SHELLS = shell_commands.SHELLS | {".", "source"}
OTHER = re.compile(r"#![^\n]*\b(python|node|deno|bun|perl|ruby|php)")
FETCHES = re.compile(
    r"\burlopen\b|\burlretrieve\b|\brequests\.\w|\bhttpx\.|\bfetch\(|\bhttps?\.get\(|Net::HTTP|\bLWP\b"
)
COMPARES = re.compile(r"\bhashlib\b|\bcreateHash\b|\bDigest::|sha256")
STRICT = re.compile(r"-\w*e\w*")
Scripts = Mapping[str, str]  # by their paths


def of(subject: Subject) -> Recipe:
    """Return a subject's recipe in which each RUN is followed by what the scripts say that it carries out."""
    return spelled_out(dockerfile.of(subject), texts_of(subject))


def on_own_bases(subject: Subject, recipe: Recipe, *, spelled: bool = True) -> Recipe:
    """Return a recipe with those before it that make its bases here, ``spelled`` with what scripts say.

    What a registry may have as well is fetched there: what is written here is not what it holds.
    """
    here, path = Directory(subject.directory), Path(subject.image.dockerfile)
    for each in own_bases.below(here, path, recipe):
        if not each.local:
            break
        recipe = _laid_under(here, recipe, each, spelled=spelled)
    for _ in range(own_bases.FARTHEST):
        for each in (one for one in own_bases.beside(here, path, recipe) if one.local):
            recipe = _laid_under(here, recipe, each, spelled=spelled)
    return recipe


def _laid_under(here: Directory, recipe: Recipe, base: own_bases.OwnBase, *, spelled: bool) -> Recipe:
    texts = found(here.text(base.path), [here.root / base.path.parent]) if spelled else {}
    return own_bases.laid_under(recipe, replace(base, recipe=spelled_out(base.recipe, texts)))


def texts_of(subject: Subject) -> dict[str, str]:
    """Return the files that a subject's build may read or writes, of its contexts too, by their paths."""
    text = dockerfile.text_of(subject.directory / subject.image.dockerfile)
    places = [subject.directory / subject.image.context]
    places += [path for _, path in build_contexts.directories(subject)]
    return found(text, places)


def found(text: str, places: Sequence[Path]) -> dict[str, str]:
    """Return the scripts that a Dockerfile's text writes, and those of directories, by their paths."""
    texts = {
        f"/{path.relative_to(place)}": path.read_text(errors="replace")
        for place in places
        for path in sorted(place.rglob("*"))
        if _may_be_one(path, place)
    }
    return texts | shell_commands.here_document_files(text)


def _may_be_one(path: Path, place: Path) -> bool:
    parts = set(path.relative_to(place).parts)
    return not parts & LEFT_OUT and path.is_file() and path.stat().st_size <= LARGEST


def spelled_out(recipe: Recipe, scripts: Scripts) -> Recipe:
    """Return a recipe in which what RUNs carry out of ``scripts`` is said by RUNs of its own."""
    stages = []
    for stage in recipe.stages:
        steps = [one for each in stage.steps for one in (each, *_within(each, scripts, DEEPEST))]
        stages.append(replace(stage, steps=tuple(steps)))
    return replace(recipe, stages=tuple(stages))


def _within(step: Step, scripts: Scripts, depth: int) -> Iterator[Step]:
    """Give the steps that the scripts amount to which a step starts, and those that these start."""
    for words in step.commands if depth else ():
        said = _said(words, scripts)
        if said:
            made = Step("RUN", " ".join([*step.flags, said]), step.settled)
            yield made
            yield from _within(made, scripts, depth - 1)


def _said(words: Sequence[str], scripts: Scripts) -> str:
    """Return what a command carries out of a script, "" where it carries out none that fetches something."""
    name = PurePosixPath(words[0]).name or words[0]
    by_shell = name in SHELLS
    by_other = shell_commands.INTERPRETERS.fullmatch(name) is not None
    options = [each for each in words[1:] if each.startswith(("-", "+"))]
    rest = [each for each in words[1:] if not each.startswith(("-", "+"))]
    if (by_shell and shell_commands.script(tuple(words))) or (by_other and {"-c", "-m", "-e"} & set(options)):
        return ""
    started = rest[:1] if by_shell or by_other else [words[0]]
    text = _text(started[0], scripts) if started else ""
    if (by_shell and not OTHER.match(text)) or (not by_other and BY_A_SHELL.match(text)):
        strict = any(STRICT.fullmatch(each) for each in options) or shell_commands.STRICT.match(text)
        return ("set -e\n" if strict else "") + _commands(text) if text else ""
    fetches = (by_other or OTHER.match(text)) and FETCHES.search(text) and not COMPARES.search(text)
    return f"python3 -c {shlex.quote(_commands(text))}" if fetches else ""


def _commands(text: str) -> str:
    """Return the lines of a script without its remarks, each command on one line."""
    lines = (each.strip() for each in re.sub(r"\\\n\s*", " ", text).splitlines())
    return "\n".join(each for each in lines if each and not each.startswith("#"))


def _text(path: str, scripts: Scripts) -> str:
    """Return the script that a path in a build stands for: the one whose own path ends most like it."""
    wanted = PurePosixPath(path)
    alike = [each for each in scripts if PurePosixPath(each).name == wanted.name]
    return scripts[max(alike, key=lambda each: _common(PurePosixPath(each), wanted))] if alike else ""


def _common(one: PurePosixPath, other: PurePosixPath) -> int:
    pairs = list(zip(reversed(one.parts), reversed(other.parts), strict=False))
    return next((at for at, (left, right) in enumerate(pairs) if left != right), len(pairs))
