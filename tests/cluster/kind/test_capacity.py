"""A second cluster starts only where there is room for it, and the way to make room is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.cluster.kind import kind_clusters
from boxproof.host import machine
from pytest_claims.faults import EnvironmentFault, ExitCode
from tests.support.cluster_fixtures import FakeEngine


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with little memory, and few inotify instances left."""
    monkeypatch.setattr(machine, "memory", lambda: (8.0, 1.5))
    monkeypatch.setattr(machine, "inotify", lambda _: 128)
    monkeypatch.setattr(machine, "inotify_used", lambda: 90)


def test_the_first_cluster_is_not_held_up(engine: FakeEngine, full: None) -> None:
    kind_clusters.check_room(engine.info, "c")


def test_a_second_one_needs_memory(engine: FakeEngine, full: None) -> None:
    engine.add_node("other")
    with pytest.raises(EnvironmentFault, match=r"1\.5 GiB are free, it takes 2\.0") as fault:
        kind_clusters.check_room(engine.info, "c")
    assert "other" in fault.value.hint
    assert "\n" not in str(fault.value)
    assert fault.value.exit_code == ExitCode.BLOCKED


def test_a_second_one_needs_inotify_instances(
    engine: FakeEngine, full: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "memory", lambda: (8.0, 6.0))
    engine.add_node("other")
    with pytest.raises(EnvironmentFault, match="38 of 128 are free") as fault:
        kind_clusters.check_room(engine.info, "c")
    assert "sysctl fs.inotify.max_user_instances=512" in fault.value.hint
    monkeypatch.setattr(machine, "inotify", lambda _: 512)
    kind_clusters.check_room(engine.info, "c")


def test_instances_are_counted_by_what_processes_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "PROC", tmp_path)
    files = tmp_path / "1" / "fd"
    files.mkdir(parents=True)
    for number, target in enumerate(["anon_inode:inotify", "anon_inode:[eventpoll]", "anon_inode:inotify"]):
        (files / str(number)).symlink_to(target)
    assert machine.inotify_used() == (2 if (tmp_path / "1").stat().st_uid == 0 else 0)
