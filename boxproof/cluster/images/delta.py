"""Images as OCI archives of which each node gets only the layers it lacks, read out of the engine's store."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boxproof.cluster.images.image_archive import BLOB, Sink, canonical
from boxproof.host.engine import image_store
from boxproof.host.engine.image_store import Image, Layer, Store
from pytest_claims.faults import EnvironmentFault

INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True)
class Member:
    """A file of an archive; ``digest`` is set for layers, which a reader may hold already."""

    name: str
    size: int
    chunks: Callable[[], Iterable[bytes]]
    digest: str = ""


def members(store: Store, references: Sequence[str], held: Mapping[str, int]) -> list[Member]:
    """Return the archive of images: layout, index, manifests and configs first, then each layer once.

    ``held`` are the bytes of layers by digest as nodes told them: asking the store reads a record.
    Raises EnvironmentFault for an image the store cannot give.
    """
    blobs: list[bytes] = []
    entries: list[dict[str, Any]] = []
    layers: dict[str, Member] = {}
    for reference in references:
        image = store.image(reference)
        sized = [Layer(each.digest, _size(store, each, held)) for each in image.layers]
        manifest = image.manifest or written(image, sized)
        blobs += [image.config, manifest]
        entries.append(_entry(reference, manifest))
        layers |= {each.digest: _layer(store, each) for each in sized}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    texts = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": _json(index)}
    texts |= {_name(image_store.digest(each)): each for each in blobs}
    small = [Member(name, len(data), lambda data=data: [data]) for name, data in texts.items()]  # type: ignore[misc]
    return [*small, *layers.values()]


def written(image: Image, layers: Sequence[Layer]) -> bytes:
    """Return a manifest for an image whose store keeps none; ``layers`` have their sizes."""
    described = [
        {"mediaType": image_store.LAYER, "digest": each.digest, "size": each.size} for each in layers
    ]
    config = {"mediaType": image_store.CONFIG, "digest": image.id, "size": len(image.config)}
    return _json(
        {"schemaVersion": 2, "mediaType": image_store.MANIFEST, "config": config, "layers": described}
    )


def distribute(archive: Sequence[Member], sinks: Sequence[Sink]) -> int:
    """Write an archive to ``sinks``, without the layers each holds; returns the bytes of what was read.

    Each layer is read once. Raises EnvironmentFault, and cuts the streams short, if one cannot be read
    or is not what its digest says.
    """
    sent = 0
    try:
        for member in archive:
            wanting = [sink for sink in sinks if not member.digest or member.digest not in sink.held]
            if wanting:
                sent += member.size
                for chunk in _entry_of_tar(member):
                    for sink in wanting:
                        sink.write(chunk)
        for sink in sinks:
            sink.write(bytes(2 * tarfile.BLOCKSIZE))
    finally:
        for sink in sinks:
            sink.close()
    return sent


def _entry_of_tar(member: Member) -> Iterator[bytes]:
    header = tarfile.TarInfo(member.name)
    header.size = member.size
    yield header.tobuf()
    written = 0
    for chunk in member.chunks():
        written += len(chunk)
        yield chunk
    if written != member.size:
        raise EnvironmentFault(f"{member.name} has {written} bytes instead of {member.size}")
    yield bytes(-written % tarfile.BLOCKSIZE)


def _size(store: Store, layer: Layer, held: Mapping[str, int]) -> int:
    return layer.size or held.get(layer.digest, 0) or store.size(layer)


def _layer(store: Store, layer: Layer) -> Member:
    return Member(_name(layer.digest), layer.size, lambda: store.chunks(layer), layer.digest)


def _entry(reference: str, manifest: bytes) -> dict[str, Any]:
    name = canonical(reference)
    return {
        "mediaType": json.loads(manifest).get("mediaType", image_store.MANIFEST),
        "digest": image_store.digest(manifest),
        "size": len(manifest),
        "annotations": {
            "io.containerd.image.name": name,
            "org.opencontainers.image.ref.name": name.rpartition(":")[2],
        },
    }


def _name(digest: str) -> str:
    return f"{BLOB}{digest.removeprefix('sha256:')}"


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
