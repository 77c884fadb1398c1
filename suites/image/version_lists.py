"""Files that list what is to be installed, and which of their lines name no version."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from boxproof.subject.documented_commands import CONTINUED

LISTED = ("-r", "--requirement", "--requirements")
CONSTRAINED = ("-c", "--constraint", "--constraints")
LATEST = re.compile(r"@\s*latest\b")
HELD = re.compile(r"(===?|@)\s*\S|--hash=")
ANY_OF_THEM = re.compile(r"(?<![=!<>~])==\s*[\w.]*\*")  # "==1.*" is whatever has come out of it
REPOSITORY = re.compile(r"\b(git|hg|bzr|svn)\+\w+://\S+")
AT_A_COMMIT = re.compile(r"@([0-9a-f]{7,40}|[\w./-]*\d+\.\d+[\w.+-]*)(#|$)")  # or at the tag of a version
EDITABLE = re.compile(r"^(-e|--editable)[\s=]+(?=\w+\+)")
INCLUDES = re.compile(r"^(?P<option>-r|-c|--requirement|--constraint)[\s=]*(?P<name>[^\s-]\S*)")
NAMED = re.compile(r"^[\w.-]+")  # a package, at the beginning of a line of requirements
OF_CONDA = re.compile(r"^[\w.:/-]+\s*={1,2}\s*\d[\w.]*(=\w+)?$")
ENCODINGS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))  # as shells of Windows write
DEEPEST = 8  # lists of which one names another


def text_of(path: Path) -> str:
    """Return what a file says, in whatever encoding."""
    read = path.read_bytes()
    named = next((each for mark, each in ENCODINGS if read.startswith(mark)), "utf-8-sig")
    return read.decode(named, errors="replace")


def with_included(path: Path, options: Sequence[str], depth: int = DEEPEST) -> list[Path]:
    """Return a list of requirements, and those that it names by one of ``options``, as seen from it."""
    found = [path]
    for line in _joined(text_of(path)) if depth and path.suffix != ".toml" else ():
        told = INCLUDES.match(line)
        other = path.parent / told["name"] if told and told["option"] in options else path
        if other != path and other.is_file():
            found += with_included(other, options, depth - 1)
    return list(dict.fromkeys(found))


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
    return [each for each in _lines(text) if not _is_held(each)]


def held(text: str) -> set[str]:
    """Return the packages that a file of requirements gives a version."""
    return {package(each) for each in _lines(text) if _is_held(each)}


def package(line: str) -> str:
    """Return the package that a line is about, as all its spellings are one."""
    found = NAMED.match(line)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else line


def loose_of_conda(text: str) -> list[str]:
    """Return what an environment of conda, or a list of its packages, names in no version."""
    try:
        told = yaml.safe_load(text)
    except yaml.YAMLError:
        told = None
    listed = told.get("dependencies") if isinstance(told, dict) else _lines(text)
    return list(_loose_of_conda(listed if isinstance(listed, list) else []))


def _loose_of_conda(listed: list[Any]) -> Iterator[str]:
    for each in listed:
        if isinstance(each, dict):
            yield from loose("\n".join(map(str, each.get("pip") or ())))
        elif not OF_CONDA.match(str(each)) and not str(each).startswith(("http", "@")):
            yield str(each)


def _is_held(line: str) -> bool:
    """Return whether a line names one version: no pattern of some, and no branch of a repository."""
    if "--hash=" in line:
        return True
    repository = REPOSITORY.search(line)
    if repository:
        return AT_A_COMMIT.search(repository[0]) is not None
    any_of_them = ANY_OF_THEM.search(line) or LATEST.search(line)
    return HELD.search(line) is not None and not any_of_them


def _lines(text: str) -> list[str]:
    every = (EDITABLE.sub("", each) for each in _joined(text))
    return [each for each in every if each and not each.startswith(("-", ".", "/"))]


def _joined(text: str) -> list[str]:
    """Return the lines of a list, continued ones as one, without remarks."""
    joined = CONTINUED.sub(" ", text.replace("\r\n", "\n"))
    return [re.sub(r"(^|\s)#.*", "", each).strip() for each in joined.splitlines()]
