"""What CI is told: workflows that keep one copy of a report, pinned actions, and what Renovate would find."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from boxproof.core.settings import UNSET

ROOT = Path(__file__).resolve().parent.parent
FILES = [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), ROOT / "action.yml"]
PINNED = re.compile(r"(\./\S+|[\w/-]+@[0-9a-f]{40})")


def steps(path: Path) -> list[dict[str, Any]]:
    """Return every step of a workflow or an action."""
    data = yaml.safe_load(path.read_text())
    jobs = data["jobs"].values() if "jobs" in data else [data["runs"]]
    return [step for job in jobs for step in job.get("steps", ())]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_actions_are_pinned_and_reports_are_kept_once_and_not_forever(path: Path) -> None:
    found = steps(path)
    assert found
    for step in found:
        uses = step.get("uses", "")
        assert not uses or PINNED.fullmatch(uses), uses
        if "upload-artifact" in uses:
            told = step["with"]
            assert "retention-days" in told, (path.name, told)
            paths = str(told["path"]).split()
            assert "reports/" not in paths, "latest is a link: every report would be there twice"


@pytest.mark.parametrize("name", ["e2e", "nightly", "release", "matrix"])
def test_what_is_built_is_kept_for_the_next_run(name: str) -> None:
    kept = [str(step["with"]["path"]) for step in steps(ROOT / f".github/workflows/{name}.yml")
            if "actions/cache" in step.get("uses", "")]  # fmt: skip
    assert any("programs" in each for each in kept)
    if name != "matrix":
        assert any("history.jsonl" in each for each in kept)


def test_a_refuted_box_gets_its_kill_table() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/nightly.yml").read_text())["jobs"]
    runs = {name: " ".join(step.get("run", "") for step in job["steps"]) for name, job in jobs.items()}
    assert "--all --shard ${{ matrix.part }}/4" in runs["kill-table"] and "needs" not in jobs["kill-table"]
    assert jobs["kill-table"]["strategy"] == {"fail-fast": False, "matrix": {"part": [1, 2, 3, 4]}}
    joined = jobs["kill-table-joined"]
    assert joined["needs"] == "kill-table" and "!cancelled()" in joined["if"]
    assert "sabotage -- --merge" in runs["kill-table-joined"]


def test_the_reusable_workflow_hands_on_what_the_action_takes() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    (step,) = [each for each in steps(ROOT / ".github/workflows/prove.yml") if each["uses"].startswith("./")]
    assert set(step["with"]) <= set(action["inputs"])


@pytest.mark.parametrize(("file", "least"), [("image/tools.toml", 10), ("cluster/cells.toml", 4)])
def test_renovate_finds_the_versions(file: str, least: int) -> None:
    data = json.loads((ROOT / "renovate.json").read_text())
    (rule,) = [
        each for each in data["customManagers"] if re.search(each["managerFilePatterns"][0][1:-1], file)
    ]
    pattern = re.sub(r"\(\?<(?=\w)", "(?P<", rule["matchStrings"][0])
    found = [each["currentValue"] for each in re.finditer(pattern, (ROOT / file).read_text())]
    assert len(found) >= least
    assert all(re.match(r"v?\d+\.\d+", each) for each in found)


@pytest.mark.parametrize("path", FILES[:-1], ids=lambda path: path.name)
def test_a_job_that_runs_a_cluster_has_room_beside_the_systems_disk(path: Path) -> None:
    for name, job in yaml.safe_load(path.read_text())["jobs"].items():
        lines = "\n".join(step.get("run", "") for step in job.get("steps", ())).splitlines()
        runs = [
            each for each in lines if re.search(r"nox .*-s (e2e|sabotage|matrix|release|bench)|\.ci/", each)
        ]
        long = [each for each in runs if not re.search(r"--(install-only|merge|list-json)", each)]
        if long:
            assert {"BOXPROOF_STATE", "BOXPROOF_CACHE"} <= set(job.get("env", {})), (path.name, name, long)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_input_that_was_left_out_is_no_wrong_setting(path: Path) -> None:
    told = re.findall(r"BOXPROOF_(\w+): \$\{\{ inputs\.\w+ \}\}", path.read_text())
    assert {each.lower() for each in told} <= UNSET
