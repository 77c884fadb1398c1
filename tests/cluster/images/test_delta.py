"""An image as an archive of which each reader gets the layers it lacks, verified on the way."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from boxproof.cluster.images.image_archive import BLOB, Sink, distribute_members, members
from boxproof.host.engine import image_store
from boxproof.host.engine.image_store import Image, Layer
from pytest_claims.faults import EnvironmentFault
from tests.cluster.images.test_image_archive import contents

OLD, NEW = b"old" * 300_000, b"new"


class Store:
    """A store with one image of two layers, ``box``, and notes on what was asked."""

    def __init__(self, layers: tuple[bytes, ...] = (OLD, NEW), manifest: bytes = b"") -> None:
        self.blobs = {image_store.digest(each): each for each in layers}
        self.made = Image(b'{"config": 1}', tuple(map(Layer, self.blobs)), manifest)
        self.read: list[bytes] = []
        self.measured: list[str] = []

    def image(self, _reference: str) -> Image:
        return self.made

    def size(self, layer: Layer) -> int:
        self.measured.append(layer.digest)
        return len(self.blobs[layer.digest])

    def chunks(self, layer: Layer) -> Iterator[bytes]:
        self.read.append(self.blobs[layer.digest])
        yield from image_store.verified([self.blobs[layer.digest]], layer.digest)


def delivered(
    store: Store, *held: dict[str, int], references: tuple[str, ...] = ("box:1",)
) -> list[dict[str, bytes]]:
    sinks = [Sink(frozenset(each)) for each in held]
    known = {digest: size for each in held for digest, size in each.items()}
    with ThreadPoolExecutor(len(sinks)) as pool:
        readers = [pool.submit(sink.feed, contents) for sink in sinks]
        distribute_members(members(store, references, known), sinks)
        return [each.result() for each in readers]


def test_each_node_gets_what_it_lacks_and_each_layer_is_read_once() -> None:
    store = Store()
    old, new = store.blobs
    everything, rest, nothing = delivered(store, {}, {old: len(OLD)}, {old: len(OLD), new: len(NEW)})
    names = {f"{BLOB}{each.removeprefix('sha256:')}": data for each, data in store.blobs.items()}
    assert {name: everything[name] for name in names} == names
    assert set(everything) - set(rest) == {f"{BLOB}{old.removeprefix('sha256:')}"}
    assert set(nothing) == set(everything) - set(names)
    assert store.read == [OLD, NEW]


def test_the_archive_names_the_image_and_its_layers_with_their_sizes() -> None:
    store = Store()
    old, new = store.blobs
    (found,) = delivered(store, {old: len(OLD)})
    (entry,) = json.loads(found["index.json"])["manifests"]
    manifest = json.loads(found[f"{BLOB}{entry['digest'].removeprefix('sha256:')}"])
    assert entry["annotations"]["io.containerd.image.name"] == "docker.io/library/box:1"
    assert [(each["digest"], each["size"]) for each in manifest["layers"]] == [
        (old, len(OLD)),
        (new, len(NEW)),
    ]
    assert manifest["config"]["digest"] == store.made.id
    assert store.measured == [new]  # a node told the size of the other
    assert json.loads(found["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}


def test_a_manifest_of_the_store_is_kept_as_it_is() -> None:
    kept = json.dumps({"mediaType": image_store.MANIFEST, "of": "the store"}).encode()
    (found,) = delivered(Store(manifest=kept), {})
    assert kept in found.values()


def test_what_two_images_share_is_sent_once() -> None:
    store = Store()
    (found,) = delivered(store, {}, references=("box:1", "box:2"))
    assert len(json.loads(found["index.json"])["manifests"]) == 2
    assert store.read == [OLD, NEW]


def test_a_layer_that_is_not_what_its_digest_says_cuts_the_streams() -> None:
    store = Store()
    old, _ = store.blobs
    store.blobs[old] = OLD.replace(b"o", b"0")
    sink = Sink(frozenset())
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(sink.feed, lambda stream: stream.read())
        with pytest.raises(EnvironmentFault, match="has the digest"):
            distribute_members(members(store, ["box"], {}), [sink])
        with pytest.raises(tarfile.TarError), tarfile.open(fileobj=io.BytesIO(reader.result())) as cut:
            cut.getmembers()


def test_a_layer_of_another_size_than_was_told_cuts_the_streams() -> None:
    store = Store()
    old, _ = store.blobs
    sink = Sink(frozenset())
    with ThreadPoolExecutor(1) as pool:
        pool.submit(sink.feed, lambda stream: stream.read())
        with pytest.raises(EnvironmentFault, match="900000 bytes instead of 5"):
            distribute_members(members(store, ["box"], {old: 5}), [sink])
