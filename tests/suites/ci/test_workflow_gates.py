"""Workflows: what publishes beside the release, and what may fail without consequences."""

from __future__ import annotations

from typing import Any

import pytest

from boxproof.core.settings import ROOT
from suites.ci import workflow_gates

RELEASE = ("nox", "-s", "release", "--", "--registry", "{registry}")


def of(*steps: dict[str, Any], **job: Any) -> dict[str, Any]:
    """Return a workflow of one job."""
    return {"jobs": {"one": {"steps": list(steps), **job}}}


@pytest.mark.parametrize(
    "step",
    [
        {"run": "docker build -t a . && docker push a"},
        {"run": "docker buildx build -t a --push ."},
        {"run": "helm push a.tgz oci://b"},
        {"uses": "docker/build-push-action@v6", "with": {"push": True}},
        {"run": "trivy image a || true"},
        {"run": "nox -s release -- --registry b", "continue-on-error": True},
        {"uses": "aquasecurity/trivy-action@v1", "with": {"exit-code": "0"}},
    ],
)
def test_a_way_around_is_seen(step: dict[str, Any]) -> None:
    assert workflow_gates.around(of(step), RELEASE)


@pytest.mark.parametrize(
    "step",
    [
        {"run": "nox -s release -- --registry b"},
        {"run": "nox -s tests || true"},
        {"uses": "docker/build-push-action@v6", "with": {"push": False}},
        {"run": "git push"},
    ],
)
def test_what_is_no_way_around_is_not(step: dict[str, Any]) -> None:
    assert workflow_gates.around(of(step), RELEASE) == []


def test_a_job_that_may_fail_lets_its_release_fail() -> None:
    step = {"run": "nox -s release -- --registry b"}
    assert workflow_gates.around(of(step, **{"continue-on-error": True}), RELEASE)


def test_our_own_workflow_releases_and_nothing_goes_around_it() -> None:
    found = workflow_gates.load(ROOT)
    assert workflow_gates.releases(found["release.yml"], RELEASE)
    assert [each for one in found.values() for each in workflow_gates.around(one, RELEASE)] == []
    assert found["release.yml"]["permissions"] == {"contents": "read"}
