"""The kinds of objects that a box defines itself, and the workload that is their operator's and no agent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from boxproof.subject.detection.directory import Directory, Placed
from boxproof.subject.detection.findings import HELPERS, Detected
from boxproof.subject.manifests.overlays import EXAMPLES
from boxproof.subject.manifests.plain_yaml import mapping

DEFINITION = "CustomResourceDefinition"
DEFINES = re.compile(rf"(?m)^kind:\s*[\"']?{DEFINITION}\b")
GROUP = re.compile(r"(?m)^  group:\s*[\"']?([\w.-]+)")
KIND = re.compile(r"(?m)^  names:\s*\n(?:    .*\n)*?    kind:\s*[\"']?(\w+)")
PARTED = re.compile(r"(?m)^---.*$")
RULES = re.compile(r"(?m)^kind:\s*[\"']?(?:Cluster)?Role\b")
ROLES = ("ClusterRole", "Role")
# what the manager of controllers is started with, or called
OPERATES = re.compile(r"--?leader-elect|/manager\b|(?m:^\s*(?:- )?name:\s*[\"']?manager\b)")
# how kinds of agents are called, among those that an operator has
OF_AGENTS = re.compile(r"agent|claude|codex|sandbox|session|workspace|coder|box", re.IGNORECASE)


@dataclass(frozen=True)
class CustomKind:
    """A kind that is defined here: its name, its API group, and the file that defines it."""

    kind: str
    group: str
    path: Path


def defined(here: Directory) -> list[CustomKind]:
    """Return the kinds that plain objects and charts define, those called as agents are first."""
    found = []
    for each in here.objects:
        spec = mapping(each.item.get("spec"))
        if each.item["kind"] == DEFINITION and spec:
            kind = str(mapping(spec.get("names")).get("kind") or "")
            found.append(CustomKind(kind, str(spec.get("group") or ""), each.path))
    for path in _of_charts(here):
        for text in PARTED.split(here.text(path)):
            kinds, groups = KIND.findall(text), GROUP.findall(text)
            if DEFINES.search(text) and kinds and groups:
                found.append(CustomKind(kinds[0], groups[0], path))
    known = (each for each in found if each.kind and not EXAMPLES.intersection(each.path.parts))
    return sorted(known, key=lambda each: (not OF_AGENTS.search(each.kind), str(each.path), each.kind))


def _of_charts(here: Directory) -> list[Path]:
    """Return the files of charts that Helm takes objects of: definitions lie beside the templates too."""
    every = (path for path in here.files if path.suffix in (".yaml", ".yml"))
    return [
        path
        for path in every
        if {"crds", "templates"} & set(path.parts) and any(chart in path.parents for chart in here.charts)
    ]


def ruled_by_chart(here: Directory, chart: Path) -> list[CustomKind]:
    """Return the kinds over whose API group a chart has a role: whoever it makes is their operator."""
    texts = [
        text
        for path in _of_charts(here)
        if chart in path.parents
        for text in PARTED.split(here.text(path))
        if RULES.search(text)
    ]
    return (
        [each for each in defined(here) if any(_names(text, each.group) for text in texts)] if texts else []
    )


def ruled_by(placed: Iterable[Placed], kinds: Iterable[CustomKind]) -> list[CustomKind]:
    """Return the kinds over whose API group a role among plain objects has a rule."""
    roles = [each.item for each in placed if each.item["kind"] in ROLES]
    rules = [rule for each in roles for rule in each.get("rules") or () if isinstance(rule, dict)]
    groups = {str(group) for rule in rules for group in rule.get("apiGroups") or ()}
    return [each for each in kinds if each.group in groups]


def _names(text: str, group: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(group)}(?![\w.-])", text) is not None


def is_operators(name: str, text: str) -> bool:
    """Return whether a workload is an operator's by its name, or by what its manifest says."""
    return HELPERS.search(name.lower()) is not None or OPERATES.search(text) is not None


def note(found: Detected, kinds: Sequence[CustomKind], where: str) -> None:
    """Note the first of the kinds as the agent's: the workload that stands there is its operator's."""
    found.add("kind", kinds[0].kind, f"{kinds[0].path}; {where} makes its operator")
    names = ", ".join(dict.fromkeys(each.kind for each in kinds))
    found.remarks.append(
        f"kind, workload: {where} makes the operator of {names}, by which agents are made: name one of these"
        " as workload, with its manifest, and the labels of its pods as pod_selector; without them the proof"
        " ends with the image"
    )
