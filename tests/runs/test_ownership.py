"""Run records: who is alive, what is swept, what is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError, NotFound

from boxproof.core.process import CommandFailed, daemon, piped
from boxproof.core.session import KEPT_LABEL, KIND_CLUSTER_LABEL, run_labels
from boxproof.core.settings import Settings
from boxproof.host import process_table
from boxproof.runs import ownership, sweeping
from boxproof.runs.ownership import Swept
from pytest_claims.faults import EnvironmentFault, UsageError


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state=tmp_path / "state", cache=tmp_path / "cache", reports=tmp_path / "reports")


def die(settings: Settings, run: str, **facts: Any) -> ownership.RunRecord:
    """Write the record of a run whose process is gone."""
    gone: dict[str, Any] = {"pid": os.getpid(), "pid_start": 1, "boot_id": process_table.boot_id()} | facts
    return ownership._write(settings, ownership.RunRecord(run=run, **gone))


def test_a_claimed_run_is_alive_while_its_process_is(settings: Settings) -> None:
    record = ownership.claim_run(settings, "r1")
    assert record.alive
    assert ownership.runs(settings) == [record]
    assert ownership.dead_runs(settings) == []


@pytest.mark.parametrize("facts", [{"pid_start": 1}, {"boot_id": "before"}, {"pid": 2**22 + 1}])
def test_another_process_boot_or_no_process_means_dead(settings: Settings, facts: dict[str, Any]) -> None:
    die(settings, "r1", **({"pid_start": process_table.start_time(os.getpid())} | facts))
    assert [each.run for each in ownership.dead_runs(settings)] == ["r1"]


def test_kept_runs_are_not_dead_ones(settings: Settings) -> None:
    ownership.keep(settings, die(settings, "r1"))
    assert ownership.dead_runs(settings) == []


@pytest.mark.parametrize(
    "put",
    [
        lambda path: path.write_text('{"run": "r1", "pi'),
        lambda path: path.write_bytes(b"\xff\xfe"),
        lambda path: path.write_text("[" * 100_000),
        lambda path: path.write_text("{}"),
        lambda path: path.symlink_to(path.name),
        lambda path: path.symlink_to("/dev/zero"),
        os.mkfifo,
        Path.mkdir,
    ],
    ids=["torn", "bytes", "deep", "empty", "loop", "device", "pipe", "directory"],
)
def test_a_damaged_record_counts_as_dead(settings: Settings, put: Callable[[Path], None]) -> None:
    path = settings.state / "runs" / "r1.json"
    path.parent.mkdir(parents=True)
    put(path)
    assert ownership.under_way(settings, "r1") == 0
    assert [each.run for each in ownership.dead_runs(settings)] == ["r1"]


@pytest.mark.parametrize("run", ["", "../x", "a b", "x" * 64])
def test_a_name_that_is_no_label_is_wrong_usage(settings: Settings, run: str) -> None:
    with pytest.raises(UsageError):
        ownership.claim_run(settings, run)


def test_a_live_run_is_not_claimed_twice(settings: Settings) -> None:
    parent = os.getppid()
    die(settings, "r1", pid=parent, pid_start=process_table.start_time(parent))
    with pytest.raises(EnvironmentFault, match="is under way"):
        ownership.claim_run(settings, "r1")


def test_notes_are_written_and_taken_back(settings: Settings, tmp_path: Path) -> None:
    record = ownership.claim_run(settings, "r1")
    record = ownership.note(settings, record, cluster="c", path=tmp_path / "x")
    assert ownership.runs(settings)[0].clusters == ("c",)
    record = ownership.forget(settings, record, cluster="c")
    assert ownership.runs(settings)[0] == record
    assert record.clusters == ()
    assert record.files == (str(tmp_path / "x"),)


def test_a_cluster_is_held_by_one_run(settings: Settings) -> None:
    record = ownership.claim_run(settings, "r1")
    with ownership.cluster_held(settings, "c", record):
        with (
            pytest.raises(EnvironmentFault, match=r"in use by run r1 \(pid \d+\)") as raised,
            ownership.cluster_held(settings, "c", record),
        ):
            pass
        assert "--cluster" in raised.value.hint
        with ownership.cluster_held(settings, "other", record):
            pass
    with ownership.cluster_held(settings, "c", record):
        pass


def test_only_paths_of_ours_are_removed(settings: Settings, tmp_path: Path) -> None:
    ours, link = settings.state / "x", settings.state / "link"
    ours.mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    link.symlink_to(outside)
    files = [ours, link, Path("/etc/passwd"), settings.state, settings.state / ".." / "outside"]
    record = die(settings, "r1", files=tuple(map(str, files)))
    assert ownership.remove_files(settings, record) == [str(ours), str(link)]
    assert outside.is_dir()
    assert ownership.remove_files(settings, record) == []


class Thing:
    """Stands in for a container, network, volume or image of the docker SDK."""

    def __init__(self, name: str, labels: dict[str, str], fault: Exception | None = None) -> None:
        self.name = self.id = name
        self.attrs: dict[str, Any] = {"Labels": labels, "Names": [f"/{name}"]}
        self.fault = fault
        self.removed = False

    def remove(self, **_: object) -> None:
        if self.fault:
            raise self.fault
        self.removed = True


class Engine:
    """A docker client that lists what it was given, by label."""

    def __init__(self, **kinds: list[Thing]) -> None:
        self.found = kinds
        self.images = self
        self.containers, self.networks, self.volumes = (
            Lister(kinds.get(each, [])) for each in ("containers", "networks", "volumes")
        )

    def list(self, **_: object) -> list[Thing]:
        return self.found.get("images", [])

    def remove(self, *, image: str, force: bool) -> None:
        assert force
        next(each for each in self.found["images"] if each.id == image).remove()

    def close(self) -> None:
        return


class Lister:
    """One collection of the docker client."""

    def __init__(self, things: list[Thing]) -> None:
        self.things = things

    def list(self, *, filters: dict[str, str], **_: object) -> list[Thing]:
        label = filters["label"].split("=")
        return [each for each in self.things if each.attrs["Labels"].get(label[0]) == label[1]]


def test_what_a_dead_run_left_is_removed_and_nothing_else(settings: Settings) -> None:
    record = die(settings, "r1", clusters=("c1",))
    ours = run_labels("r1")
    mine, others = Thing("a", ours), Thing("b", run_labels("r2"))
    kept = Thing("k", ours | {KEPT_LABEL: "true"})
    node, other_node = (Thing(each, {KIND_CLUSTER_LABEL: each}) for each in ("c1", "c2"))
    network, volume = Thing("n", ours), Thing("v", ours)
    client = Engine(containers=[mine, others, kept, node, other_node], networks=[network], volumes=[volume])
    result = Swept()
    sweeping.sweep_run(client, record, result)
    assert [each.name for each in (mine, node, network, volume) if each.removed] == ["a", "c1", "n", "v"]
    assert not any(each.removed for each in (others, kept, other_node))
    assert result.failures == []


def test_one_failure_hinders_no_other_removal_and_keeps_the_record(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(settings, "r1")
    ours = run_labels("r1")
    things = [Thing("bad", ours, APIError("busy")), Thing("gone", ours, NotFound("gone"))]
    last = Thing("good", ours)
    client = Engine(containers=[*things, last])
    monkeypatch.setattr(sweeping, "_client", lambda _: client)
    result = ownership.sweep(settings, None)
    assert last.removed
    assert result.removed == ["container good"]
    assert len(result.failures) == 1
    assert [each.run for each in ownership.dead_runs(settings)] == ["r1"]
    things[0].fault = None
    assert ownership.sweep(settings, None).failures == []
    assert ownership.runs(settings) == []


def test_processes_that_outlived_their_run_are_ended_and_daemons_are_not(
    settings: Settings, tmp_path: Path
) -> None:
    record = ownership.claim_run(settings, "r1")
    engine = daemon(["sleep", "60"], log=tmp_path / "log")
    with pytest.raises(CommandFailed), piped(["sh", "-c", "sleep 60 & echo started; wait"]) as out:
        out.readline()
        ended = ownership.end_processes(settings, record)
    assert len(ended) == 2
    assert engine.poll() is None
    engine.kill()
    engine.wait()
