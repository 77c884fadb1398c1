"""What ships beside the manifests and has a registry asked for the box's image at each start."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from boxproof.subject import documented_commands
from boxproof.subject.documented_commands import CONTINUED, FILLED_IN, values
from boxproof.subject.manifests import compose_file, helm_values, pod_specs, shipped
from boxproof.subject.manifests.starting import repository
from boxproof.subject.model import Subject
from suites import agent_starts

POLICY = re.compile(r"--image-pull-policy[= ][\"']?Always\b")
IMAGE = re.compile(r"--image[= ][\"']?(?P<image>[^\s\"']+)")
COMPOSED = re.compile(r"\bcompose\b[^\n;&|]*\s--pull[= ]always\b")
OFTEN = re.compile(r"always|daily|weekly|refresh|every_\w+")  # what Compose asks a registry by
IN_A_TEMPLATE = re.compile(
    r"^\s*-?\s*imagePullPolicy:\s*[\"']?Always\b|\bdefault\s+[\"']Always[\"']", re.MULTILINE
)
KEY = "pullPolicy"


def asked(subject: Subject) -> list[str]:
    """Return the commands of documents and scripts, services, values and templates that do, and where."""
    return sorted({*_by_commands(subject), *_by_services(subject), *_by_a_chart(subject)})


def _by_commands(subject: Subject) -> Iterator[str]:
    for name, text in shipped.commands(subject).items():
        for line in CONTINUED.sub(" ", text).splitlines():
            started = POLICY.search(line) and _is_the_box(line, subject)
            set_by_helm = any(_says_always(each) for each in helm_values.given(line))
            if started or set_by_helm or COMPOSED.search(line):
                yield f"{name}: {line.strip()}"
    for run in documented_commands.runs(subject):
        if "always" in values(run.options, "--pull"):
            yield f"{run.page}: {' '.join(run.options)}"


def _says_always(told: Any) -> bool:
    """Return whether values that a command gives have an image asked for each time, whichever it is."""
    if not isinstance(told, Mapping):
        return False
    said = (each == "Always" and str(key).lower().endswith(KEY.lower()) for key, each in told.items())
    return any(said) or any(_says_always(each) for each in told.values())


def _is_the_box(line: str, subject: Subject) -> bool:
    """Return whether a command starts the box's image: another one was not loaded by hand."""
    images = [each["image"] for each in IMAGE.finditer(line)]
    names = {PurePosixPath(repository(each)).name for each in images}
    return subject.image.name in names or any(FILLED_IN.match(each) for each in images)


def _by_services(subject: Subject) -> Iterator[str]:
    for name, service in agent_starts.services(subject):
        if OFTEN.fullmatch(str(service.get("pull_policy", ""))):
            yield f"{name}: pull_policy {service['pull_policy']}"


def _by_a_chart(subject: Subject) -> Iterator[str]:
    for chart in shipped.files(subject, shipped.CHART):
        for path in sorted(chart.parent.rglob("*.y*ml")):
            where = str(path.relative_to(subject.directory))
            if "templates" in path.relative_to(chart.parent).parts:
                found = IN_A_TEMPLATE.search(path.read_text(errors="replace"))
                yield from [f"{where}: {found[0].strip()}"] if found else []
            else:
                every = (each for made in compose_file.documents(path) for each in _policies(made, subject))
                yield from (f"{where}: {each}" for each in every)


def _policies(told: Any, subject: Subject, at: str = "") -> Iterator[str]:
    """Give the keys of values by which the box's image, or one without a name, is asked for each time."""
    if not isinstance(told, Mapping):
        return
    named = str(told.get("repository") or "")
    ours = (
        not named
        or pod_specs.is_filled_in(named)
        or PurePosixPath(repository(named)).name == subject.image.name
    )
    if told.get(KEY) == "Always" and ours:
        yield f"{at}{KEY}"
    for key, each in told.items():
        yield from _policies(each, subject, f"{at}{key}.")
