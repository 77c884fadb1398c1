"""The names of clusters that a subject writes down: in configurations of KIND, and in its commands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from boxproof.subject.documented_commands import CONTINUED

CONFIGURATION = re.compile(r"^apiVersion:\s*['\"]?kind\.x-k8s\.io/", re.MULTILINE)
NAME = re.compile(r"^name:\s*['\"]?([\w.-]+)", re.MULTILINE)
OPTIONS = ("--name", "--cluster", "--context")
PROGRAMS = ("kind", "kubectl", "helm", "make", "inv")
SCRIPTS = ("*.sh", "Makefile", "makefile", "*.mk", "justfile", "Taskfile.yml")
NAME_ALONE = re.compile(r"[a-z0-9][a-z0-9.-]*")  # what is filled in names no cluster
PREFIX = "kind-"  # of the context that kind makes for a cluster
LEFT_OUT = frozenset({"node_modules", "__pycache__", "reports"})
PIPELINES = (".ci/*", ".github/workflows/*.y*ml", ".gitlab-ci.yml")
# X=a, X ?= a, X: a of a pipeline, X=${1:-a}: what a variable is unless the user says otherwise
ASSIGNED = re.compile(
    r"^\s*(?:export\s+|readonly\s+|local\s+)?(?P<name>\w+)\s*(?:[:?]?=|:)\s*[\"']?"
    r"(?:\$\{\w+:?-)?(?P<value>[a-z0-9][a-z0-9.-]*)\}?[\"']?\s*(?:#.*)?$",
    re.MULTILINE,
)
FILLED = re.compile(r"\$[({]?(?P<name>\w+)(?::?-(?P<value>[^})]*))?[)}]?")
OF_A_PIPELINE = re.compile(r"\$\{\{\s*(?:env|vars)\.(\w+)\s*\}\}")
OWN = re.compile(
    r"^\s*(?:(?:export\s+)?KIND_CLUSTER_NAME\s*[:?]?=|cluster_name:)\s*[\"']?([a-z0-9][a-z0-9.-]*)",
    re.MULTILINE,
)
VARIABLE_ALONE = re.compile(r"\$[({]?(\w+)[)}]?")
CHOSEN = "use-context"  # of kubectl config, before a context
LOAD = re.compile(
    r"^(?!\s*#).*\bkind\s+load\s+(?:docker-image|image-archive)\b(?P<rest>[^\n;&|]*)", re.MULTILINE
)
STATES = re.compile(r"\s(?:--name|-n)[= ]\s*\S")
VARIABLE = "KIND_CLUSTER_NAME"  # by which kind is told, too


def named(directory: Path, commands: Mapping[str, Any]) -> dict[str, str]:
    """Return each name by where it stands; a command's may be a place that is filled in, "{cluster}".

    ``commands`` are words, or lists of words, by name. A configuration without a name says nothing. Where no
    file has a name by itself, those count that variables have.
    """
    found = _written(directory, commands)
    return found or _by_variables(directory)


def _written(directory: Path, commands: Mapping[str, Any]) -> dict[str, str]:
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


def told(directory: Path) -> dict[str, str]:
    """Return each name that scripts, pipelines and configurations of KIND come to, by where it stands.

    Variables have the value that their file gives them. A context that is no cluster of KIND's names none.
    """
    return _written(directory, {}) | _by_variables(directory)


def _by_variables(directory: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in (*_scripts(directory), *pipelines(directory)):
        text = OF_A_PIPELINE.sub(r"${\1}", CONTINUED.sub(" ", path.read_text(errors="replace")))
        known = {each["name"]: each["value"] for each in ASSIGNED.finditer(text)}
        given = [*OWN.findall(text), *(name for line in text.splitlines() for name in _given(line, known))]
        found |= {f"{path.relative_to(directory)}: {each}": each.removeprefix(PREFIX) for each in given}
    return found


def pipelines(directory: Path) -> list[Path]:
    """Return the files of a directory that say what its pipelines run."""
    return sorted(each for pattern in PIPELINES for each in directory.glob(pattern) if each.is_file())


def _given(line: str, known: Mapping[str, str]) -> Iterator[str]:
    """Give the names and the contexts of clusters of KIND in a line, its variables filled in."""
    words = shell_words(line)
    chosen = [("--context", after) for before, after in pairwise(words) if before == CHOSEN]
    for option, value in (*_options(words), *chosen):
        filled = FILLED.sub(
            lambda each: known.get(each["name"]) or each["value"] or each[0], value.strip("\"'")
        )
        if NAME_ALONE.fullmatch(filled) and (option != "--context" or filled.startswith(PREFIX)):
            yield filled


def nameless(texts: Mapping[str, str]) -> list[str]:
    """Return the loads of an image, in scripts and documents, that do not say into which cluster."""
    joined = {name: CONTINUED.sub(" ", text) for name, text in texts.items() if VARIABLE not in text}
    every = ((name, each) for name, text in joined.items() for each in LOAD.finditer(text))
    return [f"{name}: {each[0].strip()}" for name, each in every if not STATES.search(each["rest"])]


def shell_words(line: str) -> list[str]:
    """Return the words of a line from the first program on that knows clusters, none without one."""
    words = [each.strip("\"'").lstrip("@") for each in line.split()]  # a Makefile says , and $(KIND)
    at = next((number for number, each in enumerate(words) if _program(each) in PROGRAMS), len(words))
    return words[at:]


def _program(word: str) -> str:
    variable = VARIABLE_ALONE.fullmatch(word)
    return variable[1].lower() if variable else Path(word).name


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
    if not words or _program(words[0]) not in PROGRAMS:
        return
    for number, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option not in OPTIONS:
            continue
        following = words[number + 1] if number + 1 < len(words) else ""
        yield option, value if equals else following
