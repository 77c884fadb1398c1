"""Images out of both of Docker's stores, where they lie and through a container that never runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxproof.core.session import EngineInfo
from boxproof.host.engine import image_store
from boxproof.host.engine.image_store import Layer, Way
from pytest_claims.faults import EnvironmentFault
from tests.support import layers

CLIENT = """#!/bin/sh
# a docker client of an engine whose answers and data lie beside it; mounts are remembered, nothing runs
cd "$(dirname "$0")"
echo "$@" >> log
case "$1 $2" in
"info "*) cat info ;;
"image inspect") cat inspect ;;
"create "*)
    case "$*" in *bind-recursive*)
        if [ -e old ]; then echo "unexpected key 'bind-recursive'" >&2; exit 1; fi ;;
    esac
    for word; do case "$word" in type=bind,*)
        source=${word#*source=} target=${word#*target=}
        [ -d "${source%%,*}" ] || { echo "bind source path does not exist: ${source%%,*}" >&2; exit 1; }
        mkdir -p mounts && ln -s "${source%%,*}" "mounts/${target##*/}x" ;;
    esac; done
    for link in mounts/*x; do mv "$link" "mounts/$(basename "${link%%,*}")"; done ;;
"cp "*)
    path=mounts/${2#*:/boxproof-engine/}
    cd "$(dirname "$path")" && tar -c "$(basename "$path")" ;;
"rm "*) rm -rf mounts ;;
esac
"""
TOP = {"etc/new": b"new"}


class Engine:
    """An engine made of files, with one image of two layers."""

    def __init__(self, directory: Path, driver: str) -> None:
        self.directory = directory
        self.root = directory / "data"
        client = directory / "docker"
        client.write_text(CLIENT)
        client.chmod(0o755)
        if driver == "overlay2":
            status = [["Backing Filesystem", "extfs"]]
            self.id = self.config = layers.classic(self.root, [layers.FILES, TOP])
        else:
            status = [["driver-type", "io.containerd.snapshotter.v1"]]
            self.id, self.config = layers.containerd(self.root, [layers.FILES, TOP])
        told = {"DockerRootDir": str(self.root), "Driver": driver, "DriverStatus": status}
        (directory / "info").write_text(json.dumps(told))
        shown = {"Id": self.id, "Os": "linux", "Architecture": "amd64"}
        (directory / "inspect").write_text(json.dumps([shown]))
        self.info = EngineInfo(
            way="user", host=f"unix://{directory}/socket", version="28", client=str(client)
        )


@pytest.fixture(params=["overlay2", "overlayfs"])
def engine(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Engine]:
    yield Engine(tmp_path, request.param)


@pytest.mark.parametrize("way", image_store.WAYS)
def test_layers_come_with_their_digests_from_either_store_in_either_way(engine: Engine, way: Way) -> None:
    with image_store.opened(engine.info, "box", [way]) as store:
        image = store.image("box")
        assert image.id == engine.config
        for layer, files in zip(image.layers, [layers.FILES, TOP], strict=True):
            data = b"".join(store.chunks(layer))
            assert layers.digest(data) == layer.digest
            assert store.size(layer) == len(data) > sum(map(len, files.values())) * bool(not image.manifest)
    assert not (engine.directory / "mounts").exists()  # the container is gone


def test_a_store_that_was_tampered_with_is_noticed(tmp_path: Path) -> None:
    engine = Engine(tmp_path, "overlay2")
    (engine.root / "overlay2/id1/diff/etc/new").write_bytes(b"old")
    with image_store.opened(engine.info, "box", ["local"]) as store:
        top = store.image("box").layers[1]
        with pytest.raises(EnvironmentFault, match="has the digest"):
            list(store.chunks(top))


def test_an_engine_elsewhere_is_read_through_its_api(tmp_path: Path) -> None:
    made = Engine(tmp_path, "overlay2")
    elsewhere = EngineInfo(way="user", host="ssh://there", version="28", client=made.info.client)
    with (
        pytest.raises(EnvironmentFault, match="the engine is elsewhere"),
        image_store.opened(elsewhere, "box", ["local"]),
    ):
        pass
    with image_store.opened(elsewhere, "box") as store:
        assert store.image("box").id == made.id
    assert "create" in (tmp_path / "log").read_text()


def test_a_client_of_before_25_is_asked_in_its_own_words(tmp_path: Path) -> None:
    made = Engine(tmp_path, "overlay2")
    (tmp_path / "old").touch()
    with image_store.opened(made.info, "box", ["api"]) as store:
        assert store.image("box").id == made.id
    assert "bind-nonrecursive=true" in (tmp_path / "log").read_text()


def test_an_engine_whose_data_cannot_be_had_or_of_another_driver_is_a_fault(tmp_path: Path) -> None:
    told = {"DockerRootDir": str(tmp_path / "none"), "Driver": "overlay2"}
    made = Engine(tmp_path, "overlay2")
    (tmp_path / "info").write_text(json.dumps(told))
    with pytest.raises(EnvironmentFault, match="does not exist"), image_store.opened(made.info, "box"):
        pass
    assert image_store.candidates(told | {"Driver": "zfs"}) == []


def test_what_is_read_is_verified() -> None:
    good = layers.digest(b"ab")
    assert list(image_store.verified([b"a", b"b"], good)) == [b"a", b"b"]
    with pytest.raises(EnvironmentFault, match="has the digest"):
        list(image_store.verified([b"a"], good))
    assert Layer(good).size == 0
