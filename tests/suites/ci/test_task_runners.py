"""What a step of a workflow has others carry out: scripts, and the tasks of a runner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from suites.ci import workflow_gates, workflow_images

RELEASE = ("nox", "-s", "release", "--", "--registry", "{registry}")
COMMAND = "nox -s release -- --registry b"
SHA = "a" * 40
FILES = {
    "publish.sh": "docker push a\n",
    "log-in.sh": "docker login example.org\n",
    "tasks.py": 'def hand_out(c):\n    run(["docker", "push", ref])\n\n\ndef look(c):\n    pass\n',
    "noxfile.py": 'def hand_out(s):\n    s.run("crane", "push", "a", "b")\n',
    "justfile": 'hand-out tag="x":\n    docker push a\n\nlook:\n    true\n',
    "package.json": '{"scripts": {"hand-out": "docker push a", "look": "true"}}',
    "Makefile": "look:\n\ttrue\n\nhand-out:\n\tdocker push a\n",
    "ci/inner.sh": "docker push a\n",
    "docs/page.md": "docker push a\n",
}


def of(*steps: dict[str, Any], **job: Any) -> dict[str, Any]:
    """Return a workflow of one job, which names its rights."""
    return {"permissions": {}, "jobs": {"one": {"steps": list(steps), **job}}}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A directory with scripts, and with tasks of each runner."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    "run",
    [
        "sh publish.sh",
        "bash -euo pipefail ./publish.sh",
        "inv hand-out",
        "nox -s hand-out",
        "./nox -s hand_out",
        "just hand-out",
        "npm run hand-out",
        "make hand-out",
        "make V=1 hand-out",
        "sh ci/inner.sh",
    ],
)
def test_what_a_task_pushes_is_seen(repository: Path, run: str) -> None:
    assert workflow_gates.around(of({"run": run}), RELEASE, repository), run


@pytest.mark.parametrize(
    "run", ["inv look", "just look", "npm run look", "make look", "sh unknown.sh", "cat docs/page.md"]
)
def test_another_task_of_the_same_file_is_not(repository: Path, run: str) -> None:
    assert workflow_gates.around(of({"run": run}), RELEASE, repository) == []


def test_a_script_is_found_where_the_step_works(repository: Path) -> None:
    step = {"run": "sh inner.sh", "working-directory": "ci"}
    assert workflow_gates.around(of(step), RELEASE, repository)


def test_what_the_release_itself_carries_out_is_no_way_around_it(repository: Path) -> None:
    assert workflow_gates.around(of({"run": "make hand-out"}), ("make", "hand-out"), repository) == []


@pytest.mark.parametrize(
    "run",
    [
        "docker image build --push .",
        "docker compose build --push",
        "docker bake --push",
        "crane tag a latest",
        "buildctl build --output type=image,push=true",
        """python -c 'run(["docker", "push", "a"])'""",
    ],
)
def test_more_ways_to_push(run: str) -> None:
    assert workflow_gates.around(of({"run": run}), RELEASE)


@pytest.mark.parametrize("run", ["docker image build .", "docker tag a b", "crane digest a", "gradle build"])
def test_what_pushes_nothing(run: str) -> None:
    assert workflow_gates.around(of({"run": run}), RELEASE) == []


@pytest.mark.parametrize(
    "run",
    [
        f"if {COMMAND}; then\n  echo fine\nfi",
        f"if ! {COMMAND}; then\n  echo refused\nfi",
        f"{COMMAND} || {{ echo refused; }}",
        f"{COMMAND} ||\n  logger refused",
        f"{COMMAND} &\necho begun",
        f"{COMMAND} && echo fine\necho on",
        f"! {COMMAND}",
        f"({COMMAND}) || notify",
        "trivy image a || printf found",
    ],
)
def test_a_failure_that_is_an_answer_has_no_consequences(run: str) -> None:
    assert workflow_gates.around(of({"run": run}), RELEASE), run


@pytest.mark.parametrize(
    "run",
    [
        f"if ! {COMMAND}; then\n  echo refused\n  exit 1\nfi",
        f"{COMMAND} || {{ echo refused; exit 1; }}",
        f"{COMMAND} || code=$?\necho $code\nexit $code",
        f"{COMMAND} || (echo refused; false)",
        f"{COMMAND} &&\n  echo fine",
        f"{COMMAND} &\npid=$!\nwait $pid",
        f'if [ -n "$X" ]; then {COMMAND}; fi',
        f"{COMMAND} 2>&1",
    ],
)
def test_a_failure_that_ends_the_step_has(run: str) -> None:
    assert workflow_gates.around(of({"run": run}), RELEASE) == []


def test_who_logs_in_by_a_script_is_seen(repository: Path) -> None:
    login, push = {"run": "sh log-in.sh"}, {"run": "sh publish.sh"}
    found = workflow_gates.exposed(of(login), RELEASE, repository)
    assert found == ["one: logs in and does not publish"]
    assert workflow_gates.exposed(of(login, {"run": COMMAND}), RELEASE, repository) == []
    assert workflow_gates.exposed(of(login, push), (), repository) == []


@pytest.mark.parametrize(
    "run", ["echo x > ~/.netrc", 'cat a >>"$HOME/.git-credentials"', "git config credential.helper store"]
)
def test_a_token_that_git_finds_is_left_behind(run: str) -> None:
    assert workflow_gates.exposed(of({"run": run}), RELEASE) == ["one: a token is written down for git"]


@pytest.mark.parametrize("run", ["echo x > $RUNNER_TEMP/.netrc", "git config credential.helper cache"])
def test_a_token_that_goes_with_the_job_is_not(run: str) -> None:
    assert workflow_gates.exposed(of({"run": run}), RELEASE) == []


FLOATING: list[dict[str, Any]] = [
    {"uses": f"docker/setup-qemu-action@{SHA}", "with": {"image": "tonistiigi/binfmt:latest"}},
    {"uses": f"docker/setup-buildx-action@{SHA}", "with": {"driver-opts": "image=moby/buildkit:latest"}},
    {"run": 'docker run --rm "$SCANNER" fs /', "env": {"SCANNER": "aquasec/trivy"}},
    {"run": "SCANNER=a/b:latest\ndocker run ${SCANNER} fs /"},
    {"run": "docker run ${SCANNER:-a/b:latest} fs /"},
    {"run": "docker run ${{ env.OF_THE_JOB }} fs /"},
]
STANDING: list[dict[str, Any]] = [
    {"uses": f"a/b@{SHA}", "with": {"image": "a/b:1.2"}},
    {"uses": f"docker/build-push-action@{SHA}", "with": {"tags": "a/b:latest"}},
    {"run": "docker build -t $IMAGE . && docker run $IMAGE", "env": {"IMAGE": "app:latest"}},
    {"run": "docker run $IMAGE"},
    {"run": "docker run $IMAGE", "env": {"IMAGE": "a/b:1.2"}},
]


@pytest.mark.parametrize("step", FLOATING)
def test_an_image_is_found_by_an_input_and_by_a_variable(step: dict[str, Any]) -> None:
    assert len(workflow_gates.loose(of(step, env={"OF_THE_JOB": "a/c"}))) == 1


@pytest.mark.parametrize("step", STANDING)
def test_what_is_fixed_or_built_here_does_not_float(step: dict[str, Any]) -> None:
    assert workflow_gates.loose(of(step)) == []
    assert workflow_images.named({"steps": []}) == []
