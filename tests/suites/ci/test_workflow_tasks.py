"""What a workflow carries out by tasks and scripts of its repository publishes as its own lines would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from suites.ci import workflow_gates


def of(*steps: dict[str, Any], **job: Any) -> dict[str, Any]:
    """Return a workflow of one job with these steps."""
    return {"jobs": {"one": {"steps": list(steps), **job}}}


@pytest.mark.parametrize(
    "run", ["make ship", "sh ci/ship", "just publish TAG=1", "npm run release", "./gradlew :box:push"]
)
def test_a_job_whose_task_or_script_publishes_may_log_in(run: str, tmp_path: Path) -> None:
    (tmp_path / "ci").mkdir()
    (tmp_path / "Makefile").write_text("ship:\n\tdocker build -t a:1 .\n\tdocker push a:1\n")
    (tmp_path / "ci" / "ship").write_text("docker build -t a:1 \\\n  --push .\n")
    login = {"uses": "docker/login-action@v3"}
    told = {"permissions": {}, **of(login, {"run": run}, permissions={"packages": "write"})}
    assert workflow_gates.exposed(told, (), tmp_path) == []
    told = {"permissions": {}, **of(login, {"run": "make test"}, permissions={"packages": "write"})}
    assert len(workflow_gates.exposed(told, (), tmp_path)) == 2


def test_a_workflow_may_be_written_by_another_system(tmp_path: Path) -> None:
    (tmp_path / ".github/workflows").mkdir(parents=True)
    (tmp_path / ".github/workflows/ci.yml").write_bytes("\ufeffname: ci\r\njobs: {}\r\n".encode())
    assert workflow_gates.load(tmp_path) == {"ci.yml": {"name": "ci", "jobs": {}}}


def test_what_the_release_carries_out_is_the_release_and_what_stands_beside_it_is_not(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("release:\n\tdocker push a:1\nship:\n\tdocker push a:2\n")
    release = ("make", "release")
    assert workflow_gates.around(of({"run": "make release"}), release, tmp_path) == []
    for run in ("make release\nmake ship", "make ship", "make  release && docker push a:3"):
        assert workflow_gates.around(of({"run": run}), release, tmp_path)


def test_a_step_of_nothing_is_read(tmp_path: Path) -> None:
    assert workflow_gates.around(of({"run": ""}, {"id": "a"}), ("make", "release"), tmp_path) == []
