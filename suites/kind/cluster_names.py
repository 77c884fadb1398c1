"""The names of clusters that a subject writes down: in configurations of KIND, and in its commands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

CONFIGURATION = re.compile(r"^apiVersion:\s*['\"]?kind\.x-k8s\.io/", re.MULTILINE)
NAME = re.compile(r"^name:\s*['\"]?([\w.-]+)", re.MULTILINE)
OPTIONS = ("--name", "--cluster", "--context")
PROGRAMS = ("kind", "kubectl", "helm", "make", "inv")
SCRIPTS = ("*.sh", "Makefile", "makefile", "*.mk", "justfile", "Taskfile.yml")
NAME_ALONE = re.compile(r"[a-z0-9][a-z0-9.-]*")  # what is filled in names no cluster
PREFIX = "kind-"  # of the context that kind makes for a cluster
LEFT_OUT = frozenset({"node_modules", "__pycache__", "reports"})


def named(directory: Path, commands: Mapping[str, Any]) -> dict[str, str]:
    """Return each name by where it stands; a command's may be a place that is filled in, "{cluster}".

    ``commands`` are words, or lists of words, by name. A configuration without a name says nothing.
    """
    found = {}
    for path in _files(directory):
        text = path.read_text(errors="replace")
        for part in re.split(r"^---", text, flags=re.MULTILINE) if CONFIGURATION.search(text) else ():
            given = NAME.search(part)
            if CONFIGURATION.search(part) and given:
                found[str(path.relative_to(directory))] = given[1]
    for key, value in commands.items():
        for words in _flat(value):
            for option, name in _options(words):
                found[f"{key}: {option}"] = name.removeprefix(PREFIX)
    for path in _scripts(directory):
        for line in path.read_text(errors="replace").replace("\\\n", " ").splitlines():
            for option, name in _options(shell_words(line)):
                if NAME_ALONE.fullmatch(name):
                    found[f"{path.relative_to(directory)}: {option} {name}"] = name.removeprefix(PREFIX)
    return found


def shell_words(line: str) -> list[str]:
    """Return the words of a line from the first program on that knows clusters, none without one."""
    words = [each.strip("\"'") for each in line.split()]
    at = next((number for number, each in enumerate(words) if Path(each).name in PROGRAMS), len(words))
    return words[at:]


def _scripts(directory: Path) -> Iterator[Path]:
    for path in sorted(each for pattern in SCRIPTS for each in directory.rglob(pattern)):
        parts = path.relative_to(directory).parts
        if path.is_file() and not any(each.startswith(".") or each in LEFT_OUT for each in parts):
            yield path


def _files(directory: Path) -> Iterator[Path]:
    for path in sorted([*directory.rglob("*.yaml"), *directory.rglob("*.yml")]):
        parts = path.relative_to(directory).parts
        if path.is_file() and not any(each.startswith(".") or each in LEFT_OUT for each in parts):
            yield path


def _flat(value: Any) -> Iterator[Sequence[str]]:
    """Give each list of words in ``value``."""
    if value and all(isinstance(each, str) for each in value):
        yield value
    elif not isinstance(value, str):
        for each in value:
            yield from _flat(each)


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Give (option, value) for the options that name a cluster, of programs that know clusters."""
    if not words or Path(words[0]).name not in PROGRAMS:
        return
    for number, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option not in OPTIONS:
            continue
        following = words[number + 1] if number + 1 < len(words) else ""
        yield option, value if equals else following
