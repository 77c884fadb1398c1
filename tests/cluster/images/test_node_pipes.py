"""Pipes in the volumes of nodes: used where they lie on this machine, gone afterwards, never waited for."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from boxproof.cluster.images import image_archive, load
from boxproof.core.session import ClusterInfo
from boxproof.host.engine import image_store
from tests.cluster.images.test_delta import Store
from tests.support.cluster_fixtures import FakeEngine

CLUSTER = ClusterInfo(name="c", kubeconfig="", nodes=("a",), kind="0.33.0")


@pytest.fixture
def volume(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The volume of the one node of an engine whose store can be read."""
    store = Store()

    @contextmanager
    def opened(*_: object) -> Iterator[Store]:
        yield store

    engine.add_node("a")
    (engine.directory / "engine" / "box").write_text(store.made.id)
    monkeypatch.setattr(image_store, "opened", opened)
    directory = engine.directory / "volumes" / "a"
    directory.mkdir(parents=True)
    return directory


def imported(engine: FakeEngine) -> str:
    (line,) = (each for each in engine.log if "--snapshotter" in each)
    return line


def test_a_node_whose_volume_lies_here_reads_from_a_pipe_in_it(engine: FakeEngine, volume: Path) -> None:
    load.load(engine.info, CLUSTER, ["box"])
    assert imported(engine).startswith("exec a ctr")
    assert f" {image_archive.MOUNTED}/{image_archive.PREFIX}" in imported(engine)
    assert {"oci-layout", "index.json"} < engine.imports("a")[0]
    assert list(volume.iterdir()) == []


def test_with_the_api_alone_the_engine_takes_it_there(engine: FakeEngine, volume: Path) -> None:
    load.load(engine.info, CLUSTER, ["box"], ("api",))
    assert imported(engine).startswith("exec --interactive a ctr")
    assert not any(each.startswith("inspect") for each in engine.log)


def test_a_reader_that_ends_early_holds_nobody_up(tmp_path: Path) -> None:
    with image_archive.opened({"a": tmp_path}) as named:
        sink = image_archive.Sink(frozenset(), named["a"].here)
        assert sink.feed(lambda _: "ended") == "ended"
        sink.write(bytes(1 << 22))  # more than a pipe holds
        sink.close()
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_never_comes_leaves_the_streams_of_the_others_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_archive, "TAKEN_TIMEOUT", 0.2)
    for each in "ab":
        (tmp_path / each).mkdir()
    with image_archive.opened({each: tmp_path / each for each in "ab"}) as named:
        absent, present = (image_archive.Sink(frozenset(), named[each].here) for each in "ab")
        with ThreadPoolExecutor(1) as pool:
            read = pool.submit(named["b"].here.read_bytes)
            image_archive.distribute_members([], [absent, present])
            assert read.result(timeout=10) == bytes(2 * 512)
        absent.source.close()
        present.source.close()


def test_volumes_elsewhere_or_not_to_be_written_are_left_out(engine: FakeEngine, volume: Path) -> None:
    assert image_archive.volumes(engine.info, ["a"]) == {"a": volume}
    assert image_archive.volumes(replace(engine.info, host="tcp://there:2375"), ["a"]) == {}
    volume.rmdir()
    volume.symlink_to("/nowhere")
    assert image_archive.volumes(engine.info, ["a"]) == {}
    with image_archive.opened({"a": tmp_file(engine)}) as named:
        assert named == {}


def tmp_file(engine: FakeEngine) -> Path:
    path = engine.directory / "a-file"
    path.touch()
    return path
