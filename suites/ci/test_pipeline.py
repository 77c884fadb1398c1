"""The pipeline: build, scan, test, sabotage, then publish, and nothing published before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from boxproof.fixtures.nested_runs import Ended, Nested
from boxproof.probes.local_registry import Registry
from boxproof.subject.minimal_subject import BAD, PROVABLE, Miniature
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, scope
from suites.ci import workflow_gates

STEPS = ["build", "scan", "test", "sabotage", "publish"]
DEFECTS: dict[str, dict[str, Any]] = {
    "build": {"builds": False},
    "scan": {"version": BAD},
    "test": {"user": "0:0"},
}
AUTHORS_OWN = """
jobs:
  build:
    steps:
      - uses: docker/build-push-action@v6
        with: {push: true, tags: box}
      - uses: aquasecurity/trivy-action@v0
        with: {exit-code: "0"}
      - run: nox -s release -- --registry ghcr.io/us || true
"""


@claim("ci-build-scan-test-block")
@scope("host")
def test_a_defect_in_any_step_keeps_everything_from_the_registry(
    nested: Nested,
    command: Callable[[str], Sequence[str]],
    mini: Callable[..., Miniature],
    served: Registry,
    database: Path,
    tmp_path: Path,
) -> None:
    def release(label: str, subject: Miniature) -> Ended:
        options = ["--claims", PROVABLE, "--narrowed", "--vulnerability-db", str(database)]
        about = subject.write(tmp_path)
        return nested(
            command("release"), *options, label=label, about=about, registry=f"{served.address}/{label}"
        )

    for step, defect in DEFECTS.items():
        ended = release(step, mini(**defect))
        assert served.holds(step) == {}, f"with a defect in {step} something was published"
        assert ended.code == 1, ended.said[-800:]
        told = ended.json("releases/*/release.json")["steps"]
        assert [each["name"] for each in told] == STEPS
        assert next(each["name"] for each in told if each["verdict"] == "refuted") == step
    with control("without a defect the same command publishes the image and the report"):
        ended = release("clean", mini())
        assert ended.code == 0, ended.said[-800:]
        assert len(served.holds("clean")) == 2


@claim("ci-build-scan-test-block")
@scope("image")
def test_no_workflow_goes_around_the_release(subject: Subject) -> None:
    if not subject.commands.release:
        pytest.skip("subject.toml documents no release: commands.release")
    with control("a push before the scan, a scan without consequences and an ignored failure are seen"):
        found = workflow_gates.around(yaml.safe_load(AUTHORS_OWN), subject.commands.release)
        assert len(observe("ways around the release", "a workflow of that kind", found)) == 3
    files = workflow_gates.load(subject.directory)
    found = [each for one in files.values() for each in workflow_gates.around(one, subject.commands.release)]
    assert observe("ways around the release", "the subject's workflows", found) == []
    assert any(workflow_gates.releases(each, subject.commands.release) for each in files.values())
