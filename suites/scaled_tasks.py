"""To how many pods, or containers of Compose, tasks of a box bring the agent unasked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from boxproof.subject.model import Subject
from suites import box_tasks
from suites.packaging import task_commands

ASKED = re.compile(r"scale|replica|fleet|load|more|many", re.IGNORECASE)  # a task whose name says it
WORKLOAD = r"(?:statefulsets?|sts|deployments?|deploy)(?:\.apps)?[ /]"
SCALES = re.compile(r"\bscale\b(?=[^\n;&|]*\s--replicas[= ](?P<number>\d+))(?P<rest>[^\n;&|]*)")
GROWS = re.compile(r"\bautoscale\b(?=[^\n;&|]*\s--max[= ](?P<number>\d+))(?P<rest>[^\n;&|]*)")
PATCHES = re.compile(r"\bpatch\b(?=[^\n;&]*\breplicas\b[: ,/a-z]*?(?P<number>\d+))(?P<rest>[^\n;&]*)")
COMPOSED = re.compile(r"(?i:\w*compose)\w*\b[^\n;&|]*")
TO = re.compile(r"\s--scale[= ](?P<service>[\w.-]+)=(?P<number>\d+)")


def pods(subject: Subject) -> dict[str, int]:
    """Return to how many pods each task of the box's that names a number above one brings the workload."""
    return of_texts(task_commands.tasks(subject), subject)


def of_texts(texts: Mapping[str, str], subject: Subject) -> dict[str, int]:
    """Return that of texts by their paths."""

    def acts(commands: str) -> list[str]:
        plain = re.sub(r"[\"'\\{}\[\]]", "", commands)
        found = (each for pattern in (SCALES, GROWS, PATCHES) for each in pattern.finditer(plain))
        return [
            each["number"] for each in found if int(each["number"]) > 1 and _is_own(each["rest"], subject)
        ]

    return _most(texts, acts)


def containers(subject: Subject) -> dict[str, int]:
    """Return of how many containers each task of the box's has Compose make its service."""

    def acts(commands: str) -> list[str]:
        found = (each for one in COMPOSED.findall(commands) for each in TO.finditer(one))
        return [each["number"] for each in found if each["service"] == subject.compose.service]

    return _most(task_commands.tasks(subject), acts)


def _most(texts: Mapping[str, str], acts: Callable[[str], list[str]]) -> dict[str, int]:
    done = box_tasks.doing(box_tasks.tasks(texts), acts, ASKED)
    return {where: max(map(int, numbers)) for where, numbers in done.items()}


def _is_own(rest: str, subject: Subject) -> bool:
    """Return whether what is scaled is the agent's workload, by its name, a variable, or all there is."""
    named = re.search(rf"{WORKLOAD}(?P<name>[^\s,]*)", rest)
    own = named and (not subject.workload or named["name"] == subject.workload or "$" in named["name"])
    return bool(own) or " --all" in rest
