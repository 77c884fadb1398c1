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
OPTIONS = ("--name", "--cluster", "--context", "--kube-context")
PROGRAMS = ("kind", "kubectl", "helm", "make", "inv", "kubectx", "skaffold", "tilt")
BETWEEN = ("&&", "||", ";", "|", "&", "then", "do", "else", "sudo")  # two commands of a line
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
CHOSEN = ("use-context", "kubectx")  # of kubectl config, and a program, before a context
CONTEXTS = ("--context", "--kube-context")
# files of tools that build and deploy all over again, and how they name a context
LOOPS = ("skaffold*.y*ml", "Tiltfile")
LOOPED = re.compile(
    r"^(?!\s*#).*(?:\bkubeContext\s*:\s*|\ballow_k8s_contexts\([^)\n]*?)[\"']?kind-([a-z0-9][a-z0-9.-]*)",
    re.MULTILINE,
)
LISTED = re.compile(r"[\"']\s*,\s*f?[\"']?")  # between the words of a command that is a list of texts
PROGRAM = r"(?:\bkind|\$[({]?\w*KIND\w*[)}]?)[\"']?"
LOAD = re.compile(
    rf"^(?!\s*#).*{PROGRAM}\s+load\s+(?:docker-image|image-archive)\b(?P<rest>[^\n;&|]*)", re.MULTILINE
)
STATES = re.compile(r"[\s\"'](?:--name|-n)[\"']?[=, ]\s*(?![\"']{2})\S")
# by which kind is told, too
TOLD_SO = re.compile(
    r"^(?!\s*#).*(?:\bKIND_CLUSTER_NAME\b[\"'\]]*\s*[:?]?[=:]|\bexport\s+KIND_CLUSTER_NAME\b)", re.MULTILINE
)
IGNORED = re.compile(
    r"\|\|\s*(?:true|echo|printf|logger|exit 0|/bin/true)\b|\|\|\s*:|;\s*(?:true|:|exit 0)\s*$"
)
BY_MAKE = re.compile(r"^\t[@+\s]*-")  # a line whose failure make takes no notice of
OF_A_SHELL = re.compile(r"^#!.*\b(?:ba|da|k|z)?sh\b")
STOPPING = re.compile(r"^[^#\n]*\bset\s+-\w*e|\berrexit\b|^#!.*sh\s+-\w*e", re.MULTILINE)
GOES_ON = re.compile(r"^(?!\s*#).*\b(?:kubectl|helm|docker|kind|make)\b", re.MULTILINE)
HEEDED = re.compile(r"&&|\|\||^\s*(?:if|while|until)\b")


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
                if NAME_ALONE.fullmatch(name) and (option != "--kube-context" or name.startswith(PREFIX)):
                    found[f"{path.relative_to(directory)}: {option} {name}"] = name.removeprefix(PREFIX)
    return found


def told(directory: Path) -> dict[str, str]:
    """Return each name that scripts, pipelines and configurations of KIND come to, by where it stands.

    Variables have the value that their file gives them. A context that is no cluster of KIND's names none.
    """
    found = _written(directory, {}) | _by_variables(directory)
    for path in (each for pattern in LOOPS for each in sorted(directory.glob(pattern))):
        looped = LOOPED.findall(path.read_text(errors="replace"))
        found |= {f"{path.relative_to(directory)}: {each}": each for each in looped}
    return found


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
    chosen = [("--context", after) for before, after in pairwise(words) if before in CHOSEN]
    for option, value in (*_options(words), *chosen):
        filled = FILLED.sub(
            lambda each: known.get(each["name"]) or each["value"] or each[0], value.strip("\"'")
        )
        if NAME_ALONE.fullmatch(filled) and (option not in CONTEXTS or filled.startswith(PREFIX)):
            yield filled


def nameless(texts: Mapping[str, str]) -> list[str]:
    """Return the loads of an image, in scripts and documents, that do not say into which cluster."""
    every = ((name, each) for name, text in texts.items() for each in LOAD.finditer(_joined(text)))
    left = {name for name, text in texts.items() if TOLD_SO.search(text)}
    bare = ((name, each) for name, each in every if name not in left and not STATES.search(each["rest"]))
    return [f"{name}: {each[0].strip()}" for name, each in bare]


def unheeded(texts: Mapping[str, str]) -> list[str]:
    """Return the loads of an image after whose failure a script, a recipe or a document goes on."""
    found = []
    for name, text in texts.items():
        joined = _joined(text)
        for each in LOAD.finditer(joined):
            line, _, after = joined[each.start() :].partition("\n")
            if IGNORED.search(line) or BY_MAKE.match(line) or _goes_on(name, joined, line, after):
                found.append(f"{name}: {line.strip()}")
    return found


def _joined(text: str) -> str:
    return LISTED.sub(" ", CONTINUED.sub(" ", text))


def _goes_on(name: str, text: str, line: str, after: str) -> bool:
    """Return whether a shell that does not end with the first failure carries out more after a line."""
    shell = name.endswith(".sh") or OF_A_SHELL.match(text) is not None
    heard = STOPPING.search(text) or HEEDED.search(line) or re.match(r"\s*(?:\[|if|exit|return)\b", after)
    return shell and not heard and GOES_ON.search(after) is not None


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
    current, begins = "", True
    for number, word in enumerate(words):
        current = _program(word) if begins else current
        begins = word in BETWEEN or word.endswith(";")
        option, equals, value = word.partition("=")
        if option not in OPTIONS and (option, current) != ("-n", "kind"):  # of others it is a namespace
            continue
        following = words[number + 1] if number + 1 < len(words) else ""
        yield option, (value if equals else following).rstrip(";")
