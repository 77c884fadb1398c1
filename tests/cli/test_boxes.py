"""Boxes of other shapes: what ``init`` writes for each, and that what is written of it is judged truly."""

from __future__ import annotations

import json
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from boxproof.cli import init
from boxproof.core.process import Result, run
from boxproof.core.settings import ROOT, Settings
from boxproof.subject import model, parts
from pytest_claims.faults import UsageError

BOXES = ROOT / "examples/boxes"
DEFECTS = tomllib.loads((BOXES / "defects.toml").read_text())
LEAST = {"plain-deployment": 70, "bare-dockerfile": 35}  # claims that are about such a box, at least
NAMES = sorted(path.name for path in BOXES.iterdir() if path.is_dir())


@pytest.fixture
def box(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of the box that the parameter names, with the subject.toml that ``init`` writes."""
    directory: Path = tmp_path / str(request.param)
    shutil.copytree(BOXES / request.param, directory)
    assert init.main(Settings(), directory=directory) == 0
    return directory


def test_every_box_has_its_list_of_defects() -> None:
    assert set(NAMES) == set(DEFECTS)


WRITTEN: dict[str, dict[str, Any]] = {
    "plain-deployment": {
        "kind": "Deployment", "workload": "agent", "container": "agent", "uid": 1001, "home": "/home/agent",
        "config_dir": "/home/agent/.agent", "profiles": (), "source": "files",
    },
    "whole-home-chart": {"kind": "StatefulSet", "uid": 1002, "workdir": "/home/dev", "source": "chart"},
    "bare-dockerfile": {"uid": 0, "home": "/root", "source": ""},
    "custom-resource": {"kind": "Agent", "workload": "helper", "namespace": "agents", "uid": 65532,
                        "source": "files"},
    "numbered-manifests": {
        "kind": "StatefulSet", "workload": "claude-agent", "container": "claude-agent",
        "uid": 10000, "home": "/app",
        "config_dir": "/app/.claude", "profiles": ("claude-code",), "namespace": "default", "source": "files",
    },
}  # fmt: skip


@pytest.mark.parametrize(("box", "wanted"), WRITTEN.items(), indirect=["box"])
def test_init_writes_what_is_there(box: Path, wanted: dict[str, Any]) -> None:
    subject = model.load(box)
    assert {name: getattr(subject, name) for name in wanted} == wanted
    assert (box / subject.image.dockerfile).is_file()
    model.demand_parts(subject)


@pytest.mark.parametrize("box", NAMES, indirect=True)
def test_every_line_says_what_shows_it(box: Path) -> None:
    lines = [each for each in (box / model.FILE).read_text().splitlines() if " = " in each and each[0] != "#"]
    assert lines
    assert [each for each in lines if "  # " not in each] == []


def test_the_login_and_secrets_made_by_hand_are_found(tmp_path: Path) -> None:
    shutil.copytree(BOXES / "plain-deployment", tmp_path / "x")
    init.main(Settings(), directory=tmp_path / "x")
    start = model.load(tmp_path / "x").start
    assert start.token_env == "AGENT_TOKEN"
    assert start.secrets == {"agent-token": {"token": "test-value"}}


def test_a_file_that_is_there_is_left_alone_without_force(tmp_path: Path) -> None:
    shutil.copytree(BOXES / "bare-dockerfile", tmp_path / "x")
    (tmp_path / "x" / model.FILE).write_text('name = "mine"\n')
    with pytest.raises(UsageError, match="is there already"):
        init.main(Settings(), directory=tmp_path / "x")
    assert (tmp_path / "x" / model.FILE).read_text() == 'name = "mine"\n'
    init.main(Settings(), directory=tmp_path / "x", force=True)
    assert "image.dockerfile" not in parts.absent(model.load(tmp_path / "x"))


def test_a_directory_without_a_box_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="shows no box"):
        init.main(Settings(), directory=tmp_path)
    assert list(tmp_path.iterdir()) == []


def judged(box: Path, below: Path) -> tuple[Result, dict[str, Any], set[str]]:
    """Prove what is written of a box; return how that ended, the results, and what is refuted."""
    env = {"BOXPROOF_REPORTS": str(below / "reports"), "BOXPROOF_STATE": str(below / "state"),
           "DOCKER_HOST": "unix:///nonexistent"}  # fmt: skip
    argv = [sys.executable, "-m", "boxproof", "e2e", "--stage", "static", "--subject", str(box)]
    done = run(argv, cwd=ROOT, env=env, timeout=300, check=False)
    found = json.loads((below / "reports/latest/results.json").read_text())
    return done, found, {each["id"] for each in found["claims"] if each["verdict"] == "refuted"}


def test_a_box_in_an_odd_directory_is_judged_as_elsewhere(tmp_path: Path) -> None:
    name = "Bücher & #1: b, c's"
    box = tmp_path / name / "ein Kasten"
    shutil.copytree(BOXES / "plain-deployment", box)
    assert init.main(Settings(), directory=box) == 0
    done, found, refuted = judged(box, tmp_path / name)
    assert refuted == set(DEFECTS["plain-deployment"]["static"]), done.stderr[-2000:]
    assert "again:    boxproof e2e --subject '" in done.stdout + done.stderr
    put_in = ["keys token of Secret agent-token", "env AGENT_TOKEN from Secret boxproof-login"]
    assert found["subject"]["put_in"] == put_in
    assert "put into it to come up" in (tmp_path / name / "reports/latest/index.html").read_text()


@pytest.mark.parametrize("box", NAMES, indirect=True)
def test_what_is_written_is_judged_truly_without_an_engine(box: Path, tmp_path: Path) -> None:
    done, found, refuted = judged(box, tmp_path)
    known = DEFECTS[box.name]
    expected = known.get("with-helm", known) if shutil.which("helm") else known
    assert refuted == set(expected["static"]), done.stderr[-2000:]
    assert [each["id"] for each in found["claims"] if each["verdict"] == "blocked"] == []
    about = [each["id"] for each in found["claims"] if each["verdict"] != "not applicable"]
    assert len(about) >= LEAST.get(box.name, 0), about
    assert done.code == 1
