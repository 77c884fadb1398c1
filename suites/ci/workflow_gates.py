"""GitHub workflows: which steps publish, and which may fail without consequences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pytest_claims.faults import SubjectFault

Workflow = Mapping[str, Any]
Step = Mapping[str, Any]
PUSHES = re.compile(
    r"\b(docker (image )?push|buildx build .*--push|helm push|crane (push|append|copy|cp)|oras (push|cp)"
    r"|skopeo copy)\b"
)
PUSHING_ACTIONS = ("docker/build-push-action", "docker/bake-action", "redhat-actions/push-to-registry")
SCANNERS = re.compile(r"trivy|grype|scan-action")
IGNORED = re.compile(r"\|\|\s*(true|:|exit 0)|;\s*true\s*$|set \+e", re.MULTILINE)
NO = ("", "0", "false", "none")


def load(directory: Path) -> dict[str, Workflow]:
    """Return the workflows of a directory by file name; raises SubjectFault for one that is no YAML."""
    found = {}
    for path in sorted((directory / ".github" / "workflows").glob("*.y*ml")):
        try:
            found[path.name] = yaml.safe_load(path.read_text()) or {}
        except yaml.YAMLError as error:
            raise SubjectFault(f"{path.name}: {error}") from error
    return found


def releases(workflow: Workflow, command: Sequence[str]) -> bool:
    """Return whether a step runs the release."""
    return any(_is_release(each, command) for _, each in _steps(workflow))


def around(workflow: Workflow, command: Sequence[str]) -> list[str]:
    """Return the steps that publish beside the release, or let it or a scan fail without consequences."""
    found = []
    for job, step in _steps(workflow):
        name = f"{job}: {step.get('name') or step.get('uses') or str(step.get('run', '')).splitlines()[0]}"
        gate = _is_release(step, command) or SCANNERS.search(
            str(step.get("uses", "")) + str(step.get("run", ""))
        )
        if _pushes(step):
            found.append(f"{name}: pushes by itself")
        if gate and _may_fail(step, workflow["jobs"][job]):
            found.append(f"{name}: may fail without consequences")
    return found


def _steps(workflow: Workflow) -> Iterator[tuple[str, Step]]:
    for name, job in (workflow.get("jobs") or {}).items():
        for step in job.get("steps") or ():
            yield name, step


def _is_release(step: Step, command: Sequence[str]) -> bool:
    fixed = [each for each in command if "{" not in each]
    return " ".join(fixed) in " ".join(str(step.get("run", "")).split())


def _pushes(step: Step) -> bool:
    action = str(step.get("uses", "")).partition("@")[0]
    options = step.get("with") or {}
    by_action = action in PUSHING_ACTIONS and str(options.get("push", "")).lower() not in NO
    return by_action or bool(PUSHES.search(str(step.get("run", ""))))


def _may_fail(step: Step, job: Mapping[str, Any]) -> bool:
    tolerated = (each.get("continue-on-error", False) for each in (step, job))
    harmless = str((step.get("with") or {}).get("exit-code", "1")) == "0"
    return (
        any(str(each).lower() not in NO for each in tolerated)
        or harmless
        or bool(IGNORED.search(str(step.get("run", ""))))
    )
