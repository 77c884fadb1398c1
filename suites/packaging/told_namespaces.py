"""Where the commands that users are told put objects which name no namespace, and Helm its records."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from boxproof.subject.documented_commands import CONTINUED

GIVEN = re.compile(r"(?<![\w-])(?:-n(?=[= \"']|\w)|--namespace\b)")
CHOSEN = re.compile(r"\bset-context\b[^\n]*--namespace\b|\bkubens\b")  # for all commands of a page
APPLIES = re.compile(r"\bkubectl\b[^\n;&]*\b(?:apply|create|replace)\b[^\n;&]*\s(?:-f|--filename)\b")
FILE = re.compile(r"[\w./-]+\.(?:ya?ml|json)\b")
INSTALLS = re.compile(r"\bhelm\b[^\n;&|]*\b(?:install|upgrade)\b(?P<rest>[^\n;&|]*)")
# the namespace default as an option or as what a variable of that name is
DEFAULT = re.compile(
    r"\b(?:kubens|kubectl[ \t]+ns)[ \t]+default\b|(?<![\w-])(?:-n|--namespace)[= ]?[\"']?default\b"
    r"|^\s*(?:export\s+)?(?:\w+_)?(?:NAMESPACE|NS)\s*[:?]?=\s*[\"']?default\b",
    re.MULTILINE,
)


def unplaced(texts: Mapping[str, str], bare: Collection[str], chart: str) -> list[str]:
    """Return the commands that leave it to the user's context where things go.

    ``bare`` are the files with objects that name no namespace, ``chart`` is the directory of the chart.
    """
    found = []
    for page, text in texts.items():
        lines = () if CHOSEN.search(text) else CONTINUED.sub(" ", text).splitlines()
        for line in (each.strip() for each in lines):
            if line.startswith("#") or GIVEN.search(line):
                continue
            if (APPLIES.search(line) and bare_files(page, line, bare)) or installs(line, chart):
                found.append(f"{page}: {line}")
    return found


def bare_files(page: str, line: str, bare: Collection[str]) -> list[str]:
    """Return the files of ``bare`` that a line of a page names, as seen from the top or from the page."""
    return [one for each in FILE.findall(line) for one in _places(page, each) if one in bare]


def installs(line: str, chart: str) -> bool:
    """Return whether a line installs the chart."""
    told = INSTALLS.search(line)
    words = (
        [each.strip("\"'").removeprefix("./").rstrip("/") for each in told["rest"].split()] if told else []
    )
    return bool(chart) and chart in words


def _places(page: str, name: str) -> Iterator[str]:
    plain = name.removeprefix("./")
    yield plain
    yield str(PurePosixPath(page).parent / plain)


# what has somebody else put objects somewhere: controllers by their kinds, programs by their files
DEPLOYS = frozenset(
    {
        "Application", "ApplicationSet", "HelmRelease", "Kustomization", "HelmChart", "Bundle", "GitRepo",
        "App", "PackageInstall",
    }
)  # fmt: skip
OF_A_PROGRAM = re.compile(r"(?:[Kk]ustomization(?:\.ya?ml)?|helmfile[\w.-]*|fleet\.yaml|skaffold[\w.-]*)")
WHERE = re.compile(r"(?:\w+N|n)amespace")  # keys that say where: targetNamespace, defaultNamespace


def deployed(path: str, document: Mapping[str, Any]) -> list[str]:
    """Return the keys by which a file for a controller or a program puts what it brings into default."""
    mine = document.get("kind") in DEPLOYS or OF_A_PROGRAM.fullmatch(PurePosixPath(path).name)
    return [f"{path}: {each}" for each in _into_default(document, "")] if mine else []


def _into_default(value: Any, at: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            if WHERE.fullmatch(str(key)) and each == "default":
                yield f"{at}{key}"
            yield from _into_default(each, f"{at}{key}.")
    elif isinstance(value, list):
        for each in value:
            yield from _into_default(each, at)
