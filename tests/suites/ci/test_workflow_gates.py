"""Workflows: what publishes beside the release, and what may fail without consequences."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

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
        {"run": "ctr -n k8s.io images pull a && skopeo inspect docker://a && crane --insecure digest a"},
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
        "img push b", "ctr -n k8s.io images push b", "skopeo --debug copy a b", "crane --insecure push a b",
        "oras --debug push b/a:1", "crane index append -t b/a:1", "regctl -v info image copy a b",
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


def test_without_a_documented_release_the_job_that_pushes_publishes() -> None:
    tests, login = {"run": "make test"}, {"run": "docker login ghcr.io"}
    assert workflow_gates.releases(of(tests), ()) is False
    found = workflow_gates.exposed({"permissions": {}, **of(tests, login)}, ())
    assert found == ["one: logs in and does not publish"]
    pushes = of(login, {"run": "docker push a"}, permissions={"packages": "write"})
    assert workflow_gates.exposed({"permissions": {}, **pushes}, ()) == []


def test_our_own_workflows_are_fixed_and_keep_their_credentials() -> None:
    for each in workflow_gates.load(ROOT).values():
        assert (workflow_gates.loose(each), workflow_gates.exposed(each, RELEASE)) == ([], [])


ACTION = "runs:\n  using: composite\n  steps:\n    - uses: a/b@v1\n    - {uses: ./tools/more}\n"


def test_the_actions_of_a_repository_are_its_own_and_what_they_use(tmp_path: Path) -> None:
    for name, text in {
        "action.yml": ACTION,
        "tools/more/action.yaml": "runs: {using: docker, image: 'docker://alpine:3'}\n",
        ".github/actions/set-up/action.yml": "runs: {using: composite, steps: [{run: docker push a}]}\n",
        ".github/workflows/w.yml": "jobs: {a: {steps: [{uses: ./x}, {uses: ./x/.github/actions/set-up}]}}",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = workflow_gates.actions(tmp_path)
    assert set(found) == {"action.yml", "tools/more/action.yaml", ".github/actions/set-up/action.yml"}
    loose = [each for one in found.values() for each in workflow_gates.loose(one)]
    assert sorted(loose) == ["action: a/b@v1", "action: docker://alpine:3"]
    ways = workflow_gates.around(workflow_gates.load(tmp_path)["w.yml"], RELEASE, tmp_path)
    assert ways == ["a: docker push a: pushes by itself"]


@pytest.mark.parametrize(
    "job",
    [
        {"container": "${{ matrix.base }}", "strategy": {"matrix": {"base": ["debian:12", "debian:latest"]}}},
        {"container": "${{ matrix.b.i }}", "strategy": {"matrix": {"include": [{"b": {"i": "debian"}}]}}},
        {"services": {"a": {"image": "${{matrix.db}}"}}, "strategy": {"matrix": {"db": ["a:1", "a"]}}},
        {"steps": [{"run": "set -e\ndocker run --rm -v a:/b aquasec/trivy:latest fs"}]},
        {"steps": [{"run": "docker pull alpine && docker run alpine:3"}]},
        {"steps": [{"run": "sudo podman run \\\n  --name x -e A=b alpine"}]},
        {"strategy": {"matrix": {"image": ["a:latest", "b:1"]}}},
        {"strategy": {"matrix": {"image": ["a"]}}, "steps": [{"run": "docker run ${{ matrix.image }} x"}]},
    ],
)
def test_an_image_that_can_come_to_mean_another_is_seen_wherever_it_is_named(job: dict[str, Any]) -> None:
    assert len(workflow_gates.loose({"jobs": {"one": job}})) == 1


@pytest.mark.parametrize(
    "job",
    [
        {"container": "${{ matrix.base }}", "strategy": {"matrix": {"base": ["debian:12"], "name": ["x"]}}},
        {"strategy": {"matrix": "${{ fromJSON(needs.a.outputs.b) }}"}, "container": "${{ matrix.a }}"},
        {
            "strategy": {"matrix": {"image": ["base", "proxy"]}},
            "steps": [{"run": "make ${{ matrix.image }}"}],
        },
        {"strategy": {"matrix": {"image": [{"name": "a", "file": "b"}]}}},
        {"strategy": {"matrix": {"image": "${{ fromJSON(needs.a.outputs.b) }}"}}},
        {"steps": [{"run": "docker build -t box .\ndocker run --rm box true"}]},
        {"steps": [{"uses": "./b", "with": {"tags": "box:latest, c:1"}}, {"run": "docker run box:latest"}]},
        {"steps": [{"run": "docker build --tag=box ."}, {"run": "docker run box:latest"}]},
        {"steps": [{"run": "docker load -i box.tar"}, {"run": "docker run box"}]},
        {"steps": [{"run": "docker tag a:1 box && docker run box"}]},
        {"steps": [{"run": "docker run $IMAGE; docker ps; docker compose up -d"}]},
    ],
)
def test_what_is_fixed_or_built_there_is_none(job: dict[str, Any]) -> None:
    assert workflow_gates.loose({"jobs": {"one": job}}) == []


def test_our_own_actions_use_others_by_their_commit() -> None:
    found = workflow_gates.load(ROOT) | workflow_gates.actions(ROOT)
    assert "action.yml" in found
    assert [each for one in found.values() for each in workflow_gates.loose(one)] == []
    assert [each for one in found.values() for each in workflow_gates.exposed(one, RELEASE)] == []


@pytest.mark.parametrize(
    "step",
    [
        {"run": "docker buildx build \\\n  --tag a \\\n  --push .\n"},
        {"run": "docker --context remote push a"},
        {"run": "docker compose -f compose.yaml push"},
        {"run": "docker build --output type=image,name=a,push=true ."},
        {"uses": "docker/build-push-action@v6", "with": {"outputs": "type=image,name=a,push-by-digest=true"}},
        {"uses": "docker/bake-action@v6", "with": {"set": "*.output=type=registry"}},
        {"run": "trivy image --exit-code 1 a | tee scan.txt"},
        {"run": "sudo /usr/bin/grype a -o table | tail -n 20"},
        {"run": "docker run --rm aquasec/trivy:0.50 image a | tee scan.txt"},
        {"run": "nox -s release -- --registry b 2>&1 | tee release.log"},
        {"run": "nox -s release -- --registry b\necho done\n", "shell": "bash {0}"},
    ],
)
def test_other_forms_of_a_way_around_are_seen_too(step: dict[str, Any]) -> None:
    assert len(workflow_gates.around(of(step), RELEASE)) == 1


@pytest.mark.parametrize(
    "step",
    [
        {"uses": "docker/build-push-action@v6", "with": {"outputs": "type=docker,dest=/tmp/a.tar"}},
        {"run": "curl -sfL https://example.invalid/trivy/install.sh | sh"},
        {"run": "set -euo pipefail\ntrivy image a | tee scan.txt"},
        {"run": "trivy image a | tee scan.txt", "shell": "bash"},
        {"run": "nox -s release -- --registry b | tee log", "shell": "bash -eo pipefail {0}"},
        {"run": "nox -s release -- --registry b", "shell": "bash {0}"},
        {"run": "docker run --rm a git push"},
    ],
)
def test_what_is_none_of_them_is_not(step: dict[str, Any]) -> None:
    assert workflow_gates.around(of(step), RELEASE) == []


def test_the_shell_of_a_job_and_of_a_workflow_counts() -> None:
    step, bash = {"run": "trivy image a | tee scan.txt"}, {"run": {"shell": "bash"}}
    assert workflow_gates.around(of(step, defaults=bash), RELEASE) == []
    assert workflow_gates.around(of(step) | {"defaults": bash}, RELEASE) == []
    assert workflow_gates.around(of(step), RELEASE)


RELEASING = {"run": "nox -s release -- --registry b"}


@pytest.mark.parametrize(
    ("step", "job"),
    [
        ({"run": "# nox -s release -- --registry b"}, {}),
        ({"run": "true # nox -s release -- --registry b"}, {}),
        ({"run": "echo nox -s release -- --registry b"}, {}),
        (RELEASING | {"if": False}, {}),
        (RELEASING | {"if": "${{ false }}"}, {}),
        (RELEASING, {"if": "false"}),
    ],
)
def test_a_release_that_never_runs_is_none(step: dict[str, Any], job: dict[str, Any]) -> None:
    assert not workflow_gates.releases(of(step, **job), RELEASE)


def test_neither_is_one_behind_a_job_that_never_runs() -> None:
    jobs = {"first": {"if": False, "steps": []}, "next": {"needs": "first", "steps": []}}
    after = {"needs": ["next"], "steps": [RELEASING]}
    assert not workflow_gates.releases({"jobs": {**jobs, "one": after}}, RELEASE)
    assert workflow_gates.releases({"jobs": {**jobs, "one": {"steps": [RELEASING]}}}, RELEASE)


@pytest.mark.parametrize(
    "run",
    [
        "echo a && nox -s release -- --registry b", "nox -s release \\\n  -- \\\n  --registry b",
        "set -e\n  nox  -s release -- --registry b # all of it",
    ],
)  # fmt: skip
def test_a_release_is_known_however_it_is_written(run: str) -> None:
    assert workflow_gates.releases(of({"run": run}), RELEASE)


def test_scripts_that_scripts_run_are_read_whatever_they_are_called(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "run").write_text("set -e\nbash .ci/last\n")
    (tmp_path / ".ci" / "last").write_text("docker build -t a \\\n  --push .\n./.ci/run\n")
    assert workflow_gates.around(of({"run": ".ci/run"}), RELEASE, tmp_path)


@pytest.mark.parametrize(
    "workflow",
    [
        of({"run": "true"}) | {"env": {"PASSWORD": "${{ secrets.REGISTRY_PASSWORD }}"}},
        of({"run": "true"}, env={"PASSWORD": "${{ secrets.DOCKERHUB_TOKEN }}"}),
        of({"run": "echo '${{ secrets.GHCR_TOKEN }}' | some-login"}),
        of({"run": 'printf %s "$A" > "$HOME/.docker/config.json"'}),
        of({"run": "docker --config /tmp/a login b"}),
        of({"run": "gcloud auth configure-docker europe-docker.pkg.dev"}),
        of(uses="./.github/workflows/other.yml", secrets="inherit"),
    ],
)
def test_credentials_of_a_job_that_does_not_publish_are_seen(workflow: dict[str, Any]) -> None:
    assert len(workflow_gates.exposed({"permissions": {}, **workflow}, RELEASE)) == 1


@pytest.mark.parametrize(
    "workflow",
    [
        of(RELEASING | {"env": {"PASSWORD": "${{ secrets.REGISTRY_PASSWORD }}"}}, {"run": "docker login b"}),
        of({"run": "true", "env": {"KEY": "${{ secrets.ANTHROPIC_API_KEY }}"}}),
        of({"run": "cat ~/.docker/config.json"}),
    ],
)
def test_what_a_job_may_have_is_not(workflow: dict[str, Any]) -> None:
    assert workflow_gates.exposed({"permissions": {}, **workflow}, RELEASE) == []


@pytest.mark.parametrize(
    "run",
    [
        "git clone https://x-access-token:${{ secrets.GITHUB_TOKEN }}@github.com/a/b.git",
        "git remote set-url origin https://$GH_TOKEN@github.com/a/b",
        'git config --global url."https://a:${PAT}@github.com/".insteadOf https://github.com/',
        "gh auth setup-git",
    ],
)
def test_a_token_in_an_address_is_left_behind(run: str) -> None:
    assert len(workflow_gates.exposed({"permissions": {}, **of({"run": run})}, RELEASE)) == 1


def test_an_address_without_one_leaves_nothing() -> None:
    run = "git clone https://github.com/a/b.git && curl -H 'Authorization: $TOKEN' https://a@b.c/"
    assert workflow_gates.exposed({"permissions": {}, **of({"run": run})}, RELEASE) == []


def test_images_that_scripts_run_are_named_like_those_of_steps(tmp_path: Path) -> None:
    (tmp_path / "scan.sh").write_text(
        "docker run a/scanner:latest x\ndocker run own y\ndocker run b/fixed:1.2 z\n"
    )
    steps = [{"run": "docker build -t own ."}, {"run": "./scan.sh"}]
    assert workflow_gates.floating_in_scripts(of(*steps), tmp_path) == ["one: a/scanner:latest"]
    assert workflow_gates.floating_in_scripts(of({"run": "true"}), tmp_path) == []


@pytest.mark.parametrize(
    ("options", "env", "some"),
    [
        ("--claims pvc-bound --narrowed", {}, True),
        ("--claims='pvc-*,rbac-*' --narrowed", {}, True),
        ('--claims "$CLAIMS" --narrowed', {"CLAIMS": "pvc-bound"}, True),
        ('--claims "$CLAIMS" --narrowed', {"CLAIMS": "${{ inputs.claims || '*' }}"}, False),
        ('--claims "${CLAIMS}"', {"CLAIMS": "*"}, False),
        ("--claims '*'", {}, False),
        ('--claims "$CLAIMS"', {}, False),
        ("", {}, False),
    ],
)
def test_a_release_of_some_claims_alone_is_a_way_around(
    options: str, env: dict[str, str], some: bool
) -> None:
    step = {"run": f"nox -s release -- --registry b {options}"}
    for workflow in (of(step | {"env": env}), of(step, env=env), of(step) | {"env": env}):
        assert bool(workflow_gates.around(workflow, RELEASE)) == some


WRITES = {"contents": "write"}


@pytest.mark.parametrize(
    "step",
    [
        {
            "uses": "docker/build-push-action@v6",
            "with": {"outputs": "type=image,push-by-digest=true,push=true"},
        },
        {"uses": "docker/bake-action@v6", "with": {"set": "*.output=type=registry"}},
        {"uses": "softprops/action-gh-release@v2"},
        {"run": "gh release upload v1 a.tgz"},
        {"run": "npm publish --provenance"},
    ],
)
def test_what_publishes_anything_may_write(step: dict[str, Any]) -> None:
    login = {"uses": "docker/login-action@v3"}
    assert workflow_gates.exposed({"permissions": {}, **of(login, step, permissions=WRITES)}, ()) == []
    assert workflow_gates.exposed({"permissions": {}, **of(login, step, permissions=WRITES)}, RELEASE)


@pytest.mark.parametrize(
    ("workflow", "named"),
    [
        (of({"run": "true"}), False),
        ({}, True),
        (of({"run": "true"}, permissions={}), True),
        (cast(dict[str, Any], {True: {"workflow_call": None}}) | of({"run": "true"}), True),
        ({"on": ["push", "workflow_call"], **of({"run": "true"})}, False),
        ({"on": "push", "jobs": {"a": {"permissions": {}}, "b": {}}}, False),
    ],
)
def test_rights_are_named_by_the_workflow_by_each_job_or_by_who_calls_it(
    workflow: dict[str, Any], named: bool
) -> None:
    assert (workflow_gates.exposed(workflow, ()) == []) is named


def test_a_job_that_calls_a_workflow_has_the_rights_of_what_that_does() -> None:
    called = {"permissions": {}, "jobs": {"a": {"uses": "./.github/workflows/x.yml", "permissions": WRITES}}}
    assert workflow_gates.exposed(called, ()) == []
    assert workflow_gates.exposed(called, RELEASE)
