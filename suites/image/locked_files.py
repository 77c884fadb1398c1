"""What a recipe installs by a file of its context, and whether that, or a lock, holds the versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from boxproof.subject.documented_commands import CONTINUED
from boxproof.subject.image.dockerfile import Recipe
from boxproof.subject.image.shell_commands import program

# by the program: the verbs that install what a file of the project lists, and the locks that hold it
PROJECTS: dict[str, tuple[frozenset[str], tuple[str, ...]]] = {
    "npm": (frozenset({"install", "i", "ci"}), ("package-lock.json", "npm-shrinkwrap.json")),
    "yarn": (frozenset({"install"}), ("yarn.lock",)),
    "pnpm": (frozenset({"install", "i", "fetch"}), ("pnpm-lock.yaml",)),
    "bun": (frozenset({"install", "i"}), ("bun.lock", "bun.lockb")),
    "poetry": (frozenset({"install"}), ("poetry.lock",)),
    "uv": (frozenset({"sync"}), ("uv.lock",)),
    "bundle": (frozenset({"install"}), ("Gemfile.lock",)),
    "composer": (frozenset({"install"}), ("composer.lock",)),
    "go": (frozenset({"mod"}), ("go.sum",)),
}
LISTED = ("-r", "--requirement", "--requirements")
HELD = re.compile(r"(===?|@)\s*\S|--hash=")
LEFT_OUT = frozenset({"node_modules", "__pycache__"})


def unheld(recipe: Recipe, context: Path) -> list[str]:
    """Return what a recipe installs by files of its ``context`` that hold no versions of it.

    A file that is not there is made by the build: it is not looked into.
    """
    steps = (step for stage in recipe.stages for step in stage.steps if step.word == "RUN")
    commands = [words for step in steps for words in step.commands]
    return list(dict.fromkeys(each for words in commands for each in _unheld(words, context)))


def _unheld(words: Sequence[str], context: Path) -> Iterator[str]:
    name, rest = program(words[0]), list(words[1:])
    if name in ("pip", "uv") and "install" in rest:
        yield from (
            f"{path.name}: {line}" for path in _lists(rest, context) for line in loose(path.read_text())
        )
    verbs, locks = PROJECTS.get(name, (frozenset(), ()))
    named = [each for each in rest if not each.startswith("-")]
    # a name behind the verb is no project: what that brings is another's matter
    alone = named[:1] != [] and named[0] in verbs and (len(named) == 1 or name in ("go", "bundle"))
    if alone and not any(_found(context, each) for each in locks):
        yield f"{' '.join(words)}: no {' or '.join(locks)}"


def _lists(words: Sequence[str], context: Path) -> Iterator[Path]:
    """Give the files of requirements that a command names, as the context has them."""
    for at, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in LISTED:
            told = value if equals else next(iter(words[at + 1 : at + 2]), "")
            yield from _found(context, PurePosixPath(told).name)


def _found(context: Path, name: str) -> list[Path]:
    """Return the files of a name in a context, wherever there: a COPY may put them anywhere."""
    every = sorted(context.rglob(name)) if name else []
    return [each for each in every if each.is_file() and not LEFT_OUT & set(each.relative_to(context).parts)]


def loose(requirements: str) -> list[str]:
    """Return the lines of a file of requirements that name a package in no version."""
    every = (re.sub(r"(^|\s)#.*", "", each).strip() for each in CONTINUED.sub(" ", requirements).splitlines())
    return [each for each in every if each and not each.startswith(("-", ".", "/")) and not HELD.search(each)]
