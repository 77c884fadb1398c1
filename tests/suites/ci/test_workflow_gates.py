"""Workflows: what publishes beside the release, and what may fail without consequences."""

from __future__ import annotations

from pathlib import Path
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


@pytest.mark.parametrize(
    "run",
    [
        "docker buildx build -t a --output=type=registry .", "podman push a", "docker compose push",
        "skopeo sync --src docker a b", "docker buildx imagetools create -t a b", "nerdctl push a",
    ],
)  # fmt: skip
def test_every_program_that_pushes_is_known(run: str) -> None:
    assert workflow_gates.around(of({"run": run}), RELEASE)


def test_what_a_step_carries_out_of_the_repository_is_read(tmp_path: Path) -> None:
    (tmp_path / "publish.sh").write_text("docker push a\n")
    (tmp_path / "Makefile").write_text("test:\n\ttrue\n\npush:\n\tdocker push a\n")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "action.yml").write_text("runs: {steps: [{run: docker push a}]}\n")
    for step in ({"run": "bash ./publish.sh"}, {"run": "make push"}, {"uses": "./own"}):
        assert workflow_gates.around(of(step), RELEASE, tmp_path), step
    assert workflow_gates.around(of({"run": "make test"}), RELEASE, tmp_path) == []


def test_a_release_that_goes_on_after_a_failure_is_seen() -> None:
    assert workflow_gates.around(of({"run": "nox -s release -- --registry b", "if": "always()"}), RELEASE)


def test_what_floats_and_who_has_credentials() -> None:
    fixed = {"uses": f"actions/checkout@{'a' * 40}", "with": {"persist-credentials": False}}
    assert workflow_gates.loose(of(fixed)) == []
    assert workflow_gates.exposed({"permissions": {}, **of(fixed)}, RELEASE) == []
    assert workflow_gates.loose(of({"uses": "a/b@v1"}, container={"image": "debian"})) == [
        "one: a/b@v1",
        "one: debian",
    ]
    login = {"run": "docker login ghcr.io"}
    assert workflow_gates.exposed(
        {"permissions": {}, **of(login, permissions={"packages": "write"})}, RELEASE
    )
    release = {"run": "nox -s release -- --registry b"}
    mine = of(login, release, permissions={"packages": "write"})
    assert workflow_gates.exposed({"permissions": {}, **mine}, RELEASE) == []


def test_our_own_workflows_are_fixed_and_keep_their_credentials() -> None:
    for each in workflow_gates.load(ROOT).values():
        assert (workflow_gates.loose(each), workflow_gates.exposed(each, RELEASE)) == ([], [])
