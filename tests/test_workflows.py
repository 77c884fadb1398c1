"""The CI workflows run what was reviewed, and leave no credential lying about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from boxproof.core.settings import ROOT

FILES = sorted((ROOT / ".github/workflows").glob("*.y*ml"))
PINNED = re.compile(r"[\w./-]+@[0-9a-f]{40}")
LOGS_IN = re.compile(r"docker login|docker/login-action|crane auth|helm registry login")


def steps(text: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Give each step of a workflow with its job."""
    for job in yaml.safe_load(text)["jobs"].values():
        for step in job.get("steps", ()):
            yield job, step


def faults(text: str) -> list[str]:
    """Return what is wrong with a workflow."""
    found = []
    for job, step in steps(text):
        uses = step.get("uses", "")
        if uses and not uses.startswith("./") and not PINNED.fullmatch(uses):
            found.append(f"{uses}: no commit")
        if (
            uses.startswith("actions/checkout@")
            and step.get("with", {}).get("persist-credentials") is not False
        ):
            found.append(f"{uses}: its credentials stay in .git/config")
        if (
            LOGS_IN.search(f"{uses} {step.get('run', '')}")
            and job.get("permissions", {}).get("packages") != "write"
        ):
            found.append("a login to a registry in a job that publishes nothing")
    if "permissions" not in yaml.safe_load(text):
        found.append("the token may do whatever the repository's default is")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda each: each.name)
def test_a_workflow_runs_what_was_reviewed(path: Any) -> None:
    assert faults(path.read_text()) == []


def test_each_fault_is_seen() -> None:
    text = """
jobs:
  one:
    steps:
      - uses: actions/checkout@v4
      - run: docker login ghcr.io
"""
    assert len(faults(text)) == 4
