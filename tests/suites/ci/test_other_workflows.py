"""Workflows in other forms: what stands between a builder and its verb, other forges, images of options."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from suites.ci import suppressions, workflow_gates, workflow_images

TODAY = date(2026, 6, 1)
RELEASE = ("nox", "-s", "release", "--", "--registry", "{registry}")
RELEASING = "nox -s release -- --registry b"


def around(run: str) -> list[str]:
    """Return the ways around the release that a step of these lines is."""
    return workflow_gates.around({"jobs": {"one": {"steps": [{"run": run}]}}}, RELEASE)


@pytest.mark.parametrize(
    "run",
    [
        "docker buildx --builder ci build --push .", "docker compose -f compose.yaml build --push",
        "docker --context remote build -t a --push .", "docker buildx b --push .",
        "docker compose --profile all -f a.yaml build --push box", "apko publish a.yaml a", "skaffold build",
        f"set +o errexit\n{RELEASING}", f"set -x +e\n{RELEASING}", f"trap 'exit 0' EXIT\n{RELEASING}",
    ],
)  # fmt: skip
def test_a_way_around_in_another_form_is_seen(run: str) -> None:
    assert len(around(run)) == 1


@pytest.mark.parametrize(
    "run",
    [
        "docker buildx --builder ci build --load .", "docker compose -f compose.yaml build",
        f"set -euo pipefail\n{RELEASING}", f"set +x\n{RELEASING}", f"trap 'rm -f a' EXIT\n{RELEASING}",
        f"set +o pipefail\n{RELEASING}",
    ],
)  # fmt: skip
def test_what_only_looks_like_one_is_not(run: str) -> None:
    assert around(run) == []


def images(*steps: dict[str, Any]) -> list[str]:
    """Return the images that a job of these steps names."""
    return workflow_images.named({"steps": list(steps)})


def test_an_option_names_an_image_too() -> None:
    assert images({"run": "docker buildx create --use --driver-opt image=moby/buildkit:latest"}) == [
        "moby/buildkit:latest"
    ]
    run = "docker buildx create --driver-opt=network=host,image=moby/buildkit"
    assert images({"run": run}) == ["moby/buildkit"]
    assert images({"run": "kubectl run scan --image=aquasec/trivy -- fs /"}) == ["aquasec/trivy"]
    assert images({"run": "kind create cluster --image kindest/node:latest"}) == ["kindest/node:latest"]


def test_one_that_the_job_brings_itself_is_none() -> None:
    steps = [{"run": "docker build -t box ."}, {"run": "kind load docker-image box"}]
    assert images(*steps, {"run": "kubectl run a --image=box"}) == []
    assert images({"run": "kind load docker-image other:latest\nkubectl run a --image other"}) == []
    assert images({"run": "kubectl run a --image=$IMAGE"}) == []


def test_workflows_of_other_forges_are_read_and_need_name_no_rights(tmp_path: Path) -> None:
    for forge in (".github", ".forgejo"):
        path = tmp_path / forge / "workflows" / "a.yml"
        path.parent.mkdir(parents=True)
        path.write_text("jobs: {a: {steps: [{uses: https://example.org/a@v4}]}}\n")
    found = workflow_gates.load(tmp_path)
    assert sorted(found) == [".forgejo/workflows/a.yml", "a.yml"]
    assert all(workflow_gates.loose(each) for each in found.values())
    assert workflow_gates.exposed(found[".forgejo/workflows/a.yml"], RELEASE) == []
    assert workflow_gates.exposed(found["a.yml"], RELEASE) != []


@pytest.mark.parametrize(
    ("name", "text", "left"),
    [
        (".github/workflows/a.yml", 'env:\n  TRIVY_IGNORE_UNFIXED: "true"\n', 1),
        (".github/workflows/a.yml", "env: {TRIVY_SKIP_DIRS: /opt}\n", 1),
        ("scan.sh", "GRYPE_ONLY_FIXED=true grype a\n", 1),
        ("scan.sh", "TRIVY_IGNORE_UNFIXED=false trivy image a\n", 0),
        (".github/workflows/a.yml", "env:\n  TRIVY_SKIP_DIRS: ''\n  TRIVY_SEVERITY: CRITICAL\n", 0),
        ("scan.sh", "GRYPE_ONLY_FIXED=1 grype a # nobody mends the rest until 2026-07-01\n", 0),
        ("scan.sh", "hadolint --ignore DL3008 Dockerfile\n", 1),
        ("scan.sh", "docker run --rm -i hadolint/hadolint < Dockerfile\n", 0),
        ("scan.sh", "checkov -d . --skip-check CKV_1\n", 1),
        (".dockleignore", "CIS-DI-0001\n", 1),
        (".dockleignore", "# nothing of it is used until 2026-07-01\nCIS-DI-0001\n", 0),
        (".hadolint.yml", "ignored: [DL3008]\n", 1),
    ],
)
def test_what_leaves_findings_out_says_why_and_until_when(
    tmp_path: Path, name: str, text: str, left: int
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    assert len(suppressions.unjustified(tmp_path, TODAY)) == left
