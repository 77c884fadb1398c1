"""What the box reads of its cgroup, and what it tells programs of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

V1 = {"memory/memory.limit_in_bytes": "1000000", "memory/memory.usage_in_bytes": "5",
      "memory/memory.max_usage_in_bytes": "9", "memory/memory.oom_control": "under_oom 0\noom_kill 2",
      "cpu/cpu.cfs_quota_us": "150000", "cpu/cpu.cfs_period_us": "100000"}  # fmt: skip
V2 = {"cgroup.controllers": "cpu", "memory.max": "1000000", "memory.current": "5", "memory.peak": "9",
      "memory.events": "oom 2\noom_kill 2", "cpu.max": "150000 100000"}  # fmt: skip


def group(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    return root


@pytest.mark.parametrize(("version", "files"), [(1, V1), (2, V2)])
def test_the_limits_of_both_versions(
    box: dict[str, Any], tmp_path: Path, version: int, files: dict[str, str]
) -> None:
    found = box["limits"].read(group(tmp_path, files))
    assert found == box["limits"].Limits(version, 1_000_000, 5, 9, 2, 1.5)


@pytest.mark.parametrize(
    "files",
    [V1 | {"memory/memory.limit_in_bytes": "9223372036854771712", "cpu/cpu.cfs_quota_us": "-1"},
     V2 | {"memory.max": "max", "cpu.max": "max 100000"}, {}],
)  # fmt: skip
def test_no_limit_sets_nothing(box: dict[str, Any], tmp_path: Path, files: dict[str, str]) -> None:
    found = box["limits"].read(group(tmp_path, files))
    assert (found.memory_bytes, found.cpus) == (None, None)
    assert box["limits"].environment({"A": "1"}, found) == {"A": "1"}


def test_programs_are_told_to_stay_below_the_limit(box: dict[str, Any]) -> None:
    limits = box["limits"].Limits(2, 1 << 30, None, None, None, 1.5)
    made = box["limits"].environment({"NODE_OPTIONS": "--mine"}, limits)
    assert made["GOMAXPROCS"] == "2"
    assert int(made["GOMEMLIMIT"]) < 1 << 30
    assert made["NODE_OPTIONS"] == "--mine"
