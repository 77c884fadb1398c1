"""Pipelines of other services, and the commands that workflows give to actions."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.core.settings import ROOT
from suites.ci import other_pipelines, told_actions, workflow_gates

RELEASE = ("nox", "-s", "release", "--", "--registry", "{registry}")


def written(directory: Path, name: str, text: str) -> Path:
    """Return a directory with one file."""
    (directory / name).parent.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(text)
    return directory


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".gitlab-ci.yml", "a:\n  script:\n    - docker push b\n"),
        (".circleci/config.yml", "a:\n  steps:\n  - run: |\n      docker build \\\n        --push .\n"),
        ("Jenkinsfile", "stage('a') { sh 'docker push b' }\n"),
        ("cloudbuild.yaml", "steps: []\nimages: [b]\n"),
        ("cloudbuild.yaml", "steps:\n- name: gcr.io/cloud-builders/docker\n  args: ['push', 'b']\n"),
    ],
)  # fmt: skip
def test_a_pipeline_that_pushes_is_seen(tmp_path: Path, name: str, text: str) -> None:
    assert other_pipelines.publishing(written(tmp_path, name, text), RELEASE) == [name]


def test_a_script_of_a_pipeline_is_read_too(tmp_path: Path) -> None:
    written(tmp_path, "ci/publish.sh", "docker push b\n")
    directory = written(tmp_path, ".gitlab-ci.yml", "a:\n  script:\n    - sh ci/publish.sh\n")
    assert other_pipelines.publishing(directory, RELEASE) == [".gitlab-ci.yml"]


def test_one_that_proves_or_releases_is_none(tmp_path: Path) -> None:
    text = (
        "a:\n  script:\n    # - docker push b\n    - nox -s release -- --registry b\n    - docker build .\n"
    )
    assert other_pipelines.publishing(written(tmp_path, ".gitlab-ci.yml", text), RELEASE) == []


def test_the_images_of_a_pipeline_are_read(tmp_path: Path) -> None:
    job = "a:\n  image: python:3.12\n  services: [docker:latest]\n  x: !ref [y]\n"
    text = f"default: {{image: {{name: debian}}}}\n{job}"
    found = other_pipelines.floating(written(tmp_path, ".gitlab-ci.yml", text))
    assert found == [".gitlab-ci.yml: debian", ".gitlab-ci.yml: docker:latest"]
    text = "jobs: {a: {machine: {image: default}, docker: [{image: 'cimg/base:2026.01'}]}}\n"
    assert other_pipelines.floating(written(tmp_path / "b", ".circleci/config.yml", text)) == []


@pytest.mark.parametrize(
    "options",
    [
        "{command: docker push b}",
        "{script: \"await exec.exec('docker', ['push', 'b'])\"}",
        "{inlineScript: docker push b}",
    ],
)
def test_what_an_action_carries_out_is_read(tmp_path: Path, options: str) -> None:
    text = f"jobs:\n  a:\n    steps:\n      - uses: a/b@v1\n        with: {options}\n"
    directory = written(tmp_path, ".github/workflows/a.yml", text)
    (workflow,) = workflow_gates.load(directory).values()
    assert len(workflow_gates.around(workflow, RELEASE, directory)) == 1


def test_a_release_that_is_tried_again_is_a_release() -> None:
    options = {"command": "nox -s release -- --registry b", "max_attempts": 2}
    step = {"uses": "nick-fields/retry@v3", "with": options}
    workflow = told_actions.spoken({"jobs": {"a": {"steps": [step]}}})
    assert workflow_gates.releases(workflow, RELEASE)
    assert workflow_gates.around(workflow, RELEASE) == []


def test_what_is_here_publishes_by_the_release_alone() -> None:
    for each in workflow_gates.load(ROOT).values():
        assert workflow_gates.around(each, RELEASE, ROOT) == []
    assert other_pipelines.publishing(ROOT, RELEASE) == []
    assert other_pipelines.floating(ROOT) == []


def test_a_personal_token_is_one_that_may_write() -> None:
    workflow = {"permissions": {}, "jobs": {"a": {"env": {"T": "${{ secrets.CR_PAT }}"}, "steps": []}}}
    assert workflow_gates.exposed(workflow, RELEASE) == ["a has the secret CR_PAT, and does not publish"]
