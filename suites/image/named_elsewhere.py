"""What an installation names by a variable, a substitution or a list, instead of in its own words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from boxproof.subject.image.dockerfile import Step

SUBSTITUTED = re.compile(r"\$\((?:[^()]|\([^()]*\))*\)|`[^`]*`")
VARIABLE = re.compile(r"\$\{?(\w+)\}?")
UNKNOWN = "?"  # what nothing says, which is no package in any version
QUOTED = "\"'"
FILE = re.compile(r"(?:<|\bcat)\s*([\w.@~/+-]+)|([\w@~+-]*[./][\w.@~/+-]+)")
GIVEN = re.compile(r"(?:<|\bcat\b)\s*[\w.@~/+-]+")  # a file, to what reads it
Texts = Mapping[str, str]  # of files that a build may read, by their paths


def in_own_words(words: Sequence[str]) -> list[str]:
    """Return the words of a command without its substitutions."""
    return SUBSTITUTED.sub(" ", " ".join(words)).split()


def packages(step: Step, words: Sequence[str], verb: str, texts: Texts) -> Iterator[str]:
    """Give what a command of a step names behind its verb by something else than its own words.

    What cannot be followed is given as UNKNOWN.
    """
    behind = words[list(words).index(verb) + 1 :]
    for each in SUBSTITUTED.findall(" ".join(behind)):
        yield from _listed(each, texts)
    for each in in_own_words(behind):
        variable = VARIABLE.fullmatch(each.strip(QUOTED))
        if variable:
            yield from _valued(variable[1], step, texts)
    by_xargs = rf"[^;&\n]*\bxargs\b[^|;&\n]*\b{re.escape(words[0])}\b[^|;&\n]*\b{verb}\b[^;&\n]*"
    for each in re.findall(by_xargs, step.rest):
        yield from _listed(each, texts)


def _valued(name: str, step: Step, texts: Texts) -> Iterator[str]:
    """Give what a variable of a step's shell stands for: by an assignment, a loop, or lines that it reads."""
    assigned = re.findall(rf"""(?:^|[\s;&|(]){name}=("[^"]*"|'[^']*'|\$\([^)]*\)|\S*)""", step.rest)
    looped = re.findall(rf"\bfor\s+{name}\s+in\s+([^;\n]*)", step.rest)
    for value in (each.strip(QUOTED) for each in (*assigned, *looped)):
        for each in SUBSTITUTED.findall(value):
            yield from _listed(each, texts)
        for each in SUBSTITUTED.sub(" ", value).split():
            yield UNKNOWN if each.startswith("$") else each.strip(QUOTED)
    if not assigned and not looped:
        is_read = re.search(rf"\bread\b[^;&|]*\b{name}\b", step.rest)
        yield from _listed(" ".join(GIVEN.findall(step.rest)) if is_read else "", texts)


def _listed(text: str, texts: Texts) -> Iterator[str]:
    """Give what the files list that a text names, remarks left out; UNKNOWN where none of them is there."""
    names = {PurePosixPath("".join(each)).name for each in FILE.findall(text)}
    files = [each for path, each in texts.items() if PurePosixPath(path).name in names]
    for line in (line.partition("#")[0] for each in files for line in each.splitlines()):
        yield from line.split()
    if not files:
        yield UNKNOWN
