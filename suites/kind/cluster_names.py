"""The names of clusters that a subject writes down: in configurations of KIND, and in its commands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from boxproof.subject.documented_commands import CONTINUED
from pytest_claims.faults import Unprovable
from suites.kind.kind_commands import TOLD_SO, defaulted

CONFIGURATION = re.compile(r"^apiVersion:\s*['\"]?kind\.x-k8s\.io/", re.MULTILINE)
NAME = re.compile(r"^name:\s*['\"]?([\w.-]+)", re.MULTILINE)
OPTIONS = ("--name", "--cluster", "--context", "--kube-context")
PROGRAMS = ("kind", "kubectl", "helm", "make", "inv", "kubectx", "skaffold", "tilt")
# they take a context of kubectl's, and call other things of theirs by --name
OF_CONTEXTS = ("flux", "helmfile", "stern", "k9s", "kubecolor", "cilium", "istioctl", "argocd")
BETWEEN = ("&&", "||", ";", "|", "&", "then", "do", "else", "sudo")  # two commands of a line
SCRIPTS = (
    "*.sh", "*.bash", "Makefile", "makefile", "GNUmakefile", "*.mk", "justfile", "Justfile",
    "Taskfile.y*ml", "taskfile.y*ml",
)  # fmt: skip
OF_A_SHELL = re.compile(rb"#!.*\b(?:ba|da|k|z)?sh\b")  # begins a script that has no suffix
IMAGE = ("Dockerfile", "Containerfile")  # beside or above what is carried out in a container
NAME_ALONE = re.compile(r"[a-z0-9][a-z0-9.-]*")  # what is filled in names no cluster
PREFIX = "kind-"  # of the context that kind makes for a cluster
LEFT_OUT = frozenset({"node_modules", "__pycache__", "reports"})
PIPELINES = (
    ".ci/*", ".github/workflows/*.y*ml", ".github/actions/**/action.y*ml", ".gitlab-ci.yml", ".gitlab/*.y*ml",
    ".forgejo/workflows/*.y*ml", ".gitea/workflows/*.y*ml", ".circleci/config.yml", ".buildkite/*.y*ml",
    ".woodpecker/*.y*ml", ".woodpecker.y*ml", "azure-pipelines.y*ml", "Jenkinsfile",
)  # fmt: skip
DEFAULT = "kind"  # the cluster of commands that name none
BESIDE = (".env", ".envrc", "mise.toml", ".mise.toml")  # what shells and tasks take variables from
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
CHOSEN = ("use-context", "current-context", "kubectx", "ctx")  # of kubectl config, and programs
USED = ["config", "use"]  # of kubectl too
CONTEXTS = ("--context", "--kube-context")
# files of tools that build and deploy all over again, and how they name a context
LOOPS = ("skaffold*.y*ml", "Tiltfile", "helmfile*.y*ml")
LOOPED = re.compile(
    r"^(?!\s*#).*(?:\bkubeContext\s*:\s*|\ballow_k8s_contexts\([^)\n]*?)[\"']?kind-([a-z0-9][a-z0-9.-]*)",
    re.MULTILINE,
)


def named(directory: Path, commands: Mapping[str, Any]) -> dict[str, str]:
    """Return each name by where it stands; a command's may be a place that is filled in, "{cluster}".

    ``commands`` are words, or lists of words, by name. A configuration without a name says nothing. Where no
    file has a name by itself, those count that variables have. Raises Unprovable where there is none at all.
    """
    found = _written(directory, commands) or _by_variables(directory)
    if not found:
        raise Unprovable("nothing here names a cluster: each user's context says which one it is")
    return found


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
    found = _written(directory, {}) | _by_variables(directory) | _by_default(directory)
    for path in (each for pattern in LOOPS for each in sorted(directory.glob(pattern))):
        looped = LOOPED.findall(path.read_text(errors="replace"))
        found |= {f"{path.relative_to(directory)}: {each}": each for each in looped}
    return found


def _by_default(directory: Path) -> dict[str, str]:
    """Return the name that commands without one mean, where no variable of kind's own says another."""
    texts = {path: path.read_text(errors="replace") for path in (*_scripts(directory), *pipelines(directory))}
    beside = [path.read_text(errors="replace") for each in BESIDE if (path := directory / each).is_file()]
    if any(TOLD_SO.search(each) for each in (*texts.values(), *beside)):
        return {}
    every = ((path, each) for path, text in texts.items() for each in defaulted(text))
    return {f"{path.relative_to(directory)}: {each}": DEFAULT for path, each in every}


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
    threes = zip(words, words[1:], words[2:], strict=False)
    chosen += [("--context", each) for *before, each in threes if before == USED]
    for option, value in (*_options(words), *chosen):
        filled = FILLED.sub(
            lambda each: known.get(each["name"]) or each["value"] or each[0], value.strip("\"'")
        )
        if NAME_ALONE.fullmatch(filled) and (option not in CONTEXTS or filled.startswith(PREFIX)):
            yield filled


def shell_words(line: str) -> list[str]:
    """Return the words of a line from the first program on that knows clusters, none without one."""
    words = [each.strip("\"'").lstrip("@") for each in line.split()]  # a Makefile says , and $(KIND)
    known = (*PROGRAMS, *OF_CONTEXTS)
    at = next((number for number, each in enumerate(words) if _program(each) in known), len(words))
    return words[at:]


def _program(word: str) -> str:
    variable = VARIABLE_ALONE.fullmatch(word)
    return variable[1].lower() if variable else Path(word).name


def scripts(directory: Path) -> dict[str, str]:
    """Return the text of each script of a directory, by its path there."""
    every = _scripts(directory)
    return {str(path.relative_to(directory)): path.read_text(errors="replace") for path in every}


def _scripts(directory: Path) -> Iterator[Path]:
    """Give the scripts: by their names, and those of a shell that have no suffix and go into no image."""
    for path in sorted(directory.rglob("*")):
        parts = path.relative_to(directory).parts
        if any(each.startswith(".") or each in LEFT_OUT for each in parts) or not path.is_file():
            continue
        if any(path.match(each) for each in SCRIPTS) or _is_bare_script(path, directory):
            yield path


def _is_bare_script(path: Path, directory: Path) -> bool:
    if path.suffix or any((each / name).is_file() for each in _above(path, directory) for name in IMAGE):
        return False
    with path.open("rb") as file:
        return OF_A_SHELL.match(file.read(80)) is not None


def _above(path: Path, directory: Path) -> list[Path]:
    """Return the directories that a file is in, below one."""
    return [each for each in path.parents if each != directory and each.is_relative_to(directory)]


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
    if not words or _program(words[0]) not in (*PROGRAMS, *OF_CONTEXTS):
        return
    current, begins = "", True
    for number, word in enumerate(words):
        current = _program(word) if begins else current
        begins = word in BETWEEN or word.endswith(";")
        option, equals, value = word.partition("=")
        if option not in OPTIONS and (option, current) != ("-n", "kind"):  # of others it is a namespace
            continue
        following = words[number + 1] if number + 1 < len(words) else ""
        said = (value if equals else following).rstrip(";")
        if current not in OF_CONTEXTS or (option in CONTEXTS and said.startswith(PREFIX)):
            yield option, said
