"""Containers weigh more than one process of a busy machine while an engine runs, and as before after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.host import process_table
from boxproof.host.engine import processor_share

V1 = {"cpu/cpu.shares": "1024", "cpu/docker/cpu.shares": "1024"}
V2 = {"cgroup.controllers": "cpuset cpu memory", "cgroup.subtree_control": "", "docker/cpu.weight": "100"}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other engine is at work."""
    monkeypatch.setattr(process_table, "of_program", lambda _: [])


def made(place: Path, files: dict[str, str]) -> Path:
    """Make the files of a machine's cgroups."""
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


@pytest.mark.parametrize(
    ("files", "name", "before", "meanwhile"),
    [(V1, "cpu/docker/cpu.shares", 1024, 16384), (V2, "docker/cpu.weight", 100, 1600)],
)
def test_the_share_is_wide_while_an_engine_runs(
    tmp_path: Path, files: dict[str, str], name: str, before: int, meanwhile: int
) -> None:
    groups = made(tmp_path, files)
    processor_share.widen(groups, tmp_path / "none")
    assert int((groups / name).read_text()) == meanwhile
    processor_share.narrow(groups)
    assert int((groups / name).read_text()) == before


def test_what_another_engine_has_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = made(tmp_path, V1)
    processor_share.widen(groups)
    monkeypatch.setattr(process_table, "of_program", lambda _: [7])
    processor_share.narrow(groups)
    assert (groups / "cpu/docker/cpu.shares").read_text() == "16384"


def test_where_systemd_makes_the_groups_none_is_added(tmp_path: Path) -> None:
    groups = made(tmp_path / "groups", {"cgroup.controllers": "cpu", "cgroup.subtree_control": ""})
    processor_share.widen(groups, tmp_path)
    assert not (groups / "docker").exists()


def test_what_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    groups = made(tmp_path, {"cpu/docker": ""})  # a file where the group would be
    processor_share.widen(groups)
    said = capsys.readouterr()
    assert "share stays as it is" in said.out + said.err
