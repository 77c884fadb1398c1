"""Image archives as streams: read once, out of the engine or of its store; each reader gets what it lacks.

Where a node and this machine see the same directory, a named pipe carries them: no copy by the engine.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sys
import tarfile
import tempfile
import termios
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from boxproof.core.session import EngineInfo
from boxproof.host.engine import image_store
from boxproof.host.engine.docker_cli import docker, streamed
from boxproof.host.engine.image_store import Image, Layer, Store
from pytest_claims.faults import DeadlineExceeded, EnvironmentFault
from pytest_claims.waiting import until

CHUNK = 1 << 20
TAKEN_TIMEOUT = 120.0  # seconds for what a pipe holds
BLOB = "blobs/sha256/"
T = TypeVar("T")
INDEX = "application/vnd.oci.image.index.v1+json"
MOUNTED = "/var"  # where kind gives each node a volume of its own
PREFIX = "boxproof-load-"
VOLUMES = (
    '{{.Name}}{{range .Mounts}}{{if eq .Destination "'
    + MOUNTED
    + '"}} {{.Source}}{{end}}{{end}}'  # of a node
)


def saved(engine: EngineInfo, references: Sequence[str]) -> AbstractContextManager[IO[bytes]]:
    """Give ``docker save`` of images as a stream."""
    return streamed(engine, "save", *references)


class Sink:
    """One reader of an archive, behind a pipe; ``held`` are the digests of blobs it has already.

    ``named`` is a named pipe that the reader opens by itself, None for one that ``feed`` hands to it.
    """

    def __init__(self, held: frozenset[str], named: Path | None = None) -> None:
        read, write = _ends(named) if named else os.pipe()
        if sys.platform == "linux":
            fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, CHUNK)  # a slow reader holds the others up less
        self.held = held
        self.source = os.fdopen(read, "rb")
        self._target = os.fdopen(write, "wb")
        self._named = named is not None
        self._open = True

    def feed(self, reader: Callable[[IO[bytes]], T]) -> T:
        """Call ``reader`` with the reading end and return its result; it may end early."""
        with self.source:
            return reader(self.source)

    def wants(self, name: str) -> bool:
        """Return whether a member of the archive is new to the reader."""
        return not (name.startswith(BLOB) and f"sha256:{name.removeprefix(BLOB)}" in self.held)

    def write(self, data: bytes) -> None:
        """Pass ``data`` on, unless the reader is gone."""
        try:
            if self._open:
                self._target.write(data)
        except BrokenPipeError:
            self._open = False

    def close(self) -> None:
        """End the stream, also of a reader that takes nothing: its own result tells of it."""
        try:
            self._target.flush()
            if self._named:  # a reader that opens a pipe after its last writer has gone waits forever
                until(self._taken, timeout=TAKEN_TIMEOUT, every=0.005, what="the archive is read")
        except (BrokenPipeError, DeadlineExceeded):
            self._open = False
        finally:
            with suppress(BrokenPipeError):
                self._target.close()

    def _taken(self) -> bool:
        """Return whether nothing is left to read, or nobody to read it."""
        if self.source.closed:
            return True
        return fcntl.ioctl(self._target, termios.FIONREAD, bytes(4)) == bytes(4)


def _ends(named: Path) -> tuple[int, int]:
    """Open both ends of a named pipe: ours for reading, never read, has the writer wait for nobody."""
    read = os.open(named, os.O_RDONLY | os.O_NONBLOCK)
    return read, os.open(named, os.O_WRONLY)


def distribute(stream: IO[bytes], sinks: Sequence[Sink]) -> None:
    """Copy an archive to ``sinks``, without the blobs each holds; raises EnvironmentFault if it is broken."""
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                wanting = [sink for sink in sinks if sink.wants(member.name)]
                if wanting:
                    _copy(archive, member, wanting)
        for sink in sinks:
            sink.write(bytes(2 * tarfile.BLOCKSIZE))
        while stream.read(CHUNK):  # padding: the writer must not meet a closed pipe
            pass
    except tarfile.TarError as error:
        raise EnvironmentFault(f"the engine's image archive cannot be read: {error}") from error
    finally:
        for sink in sinks:
            sink.close()


def _copy(archive: tarfile.TarFile, member: tarfile.TarInfo, sinks: Sequence[Sink]) -> None:
    def everywhere(data: bytes) -> None:
        for sink in sinks:
            sink.write(data)

    everywhere(member.tobuf())
    content = archive.extractfile(member) if member.isreg() else None
    if content is None:
        return
    while chunk := content.read(CHUNK):
        everywhere(chunk)
    everywhere(bytes(-member.size % tarfile.BLOCKSIZE))


def config_digest(stream: IO[bytes]) -> str:
    """Return the config digest of the one image in an archive; raises EnvironmentFault."""
    found = ""
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.name == "manifest.json" else None
            if content:
                config = str(json.loads(content.read())[0]["Config"])
                found = config.removeprefix(BLOB).removesuffix(".json")
        while stream.read(CHUNK):
            pass
    if not found:
        raise EnvironmentFault("the engine's image archive has no manifest.json")
    return f"sha256:{found}"


def canonical(reference: str) -> str:
    """Return a reference as containerd spells it: with registry, repository and tag."""
    first, slash, _ = reference.partition("/")
    if not slash:
        reference = f"docker.io/library/{reference}"
    elif not ("." in first or ":" in first or first == "localhost"):
        reference = f"docker.io/{reference}"
    named = "@" in reference or ":" in reference.rpartition("/")[2]
    return reference if named else f"{reference}:latest"


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


def distribute_members(archive: Sequence[Member], sinks: Sequence[Sink]) -> int:
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


@dataclass(frozen=True)
class Door:
    """One pipe: where it lies on this machine, and where in the node."""

    here: Path
    inside: str


def volumes(engine: EngineInfo, nodes: Sequence[str]) -> dict[str, Path]:
    """Return where the volumes of ``nodes`` lie on this machine; a node whose volume does not is left out."""
    if not engine.host.startswith("unix://"):
        return {}
    told = docker(engine, "inspect", "--format", VOLUMES, *nodes, check=False).stdout.splitlines()
    found = {name.removeprefix("/"): Path(place) for name, _, place in (each.partition(" ") for each in told)}
    return {name: place for name, place in found.items() if place.is_absolute() and _usable(place)}


@contextmanager
def opened(places: Mapping[str, Path]) -> Iterator[dict[str, Door]]:
    """Give a pipe in each of ``places``, by node, and remove them again; what cannot be is left out."""
    with ExitStack() as held:
        doors: dict[str, Door] = {}
        for node, place in places.items():
            try:
                directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
                held.callback(shutil.rmtree, directory, ignore_errors=True)
                os.mkfifo(directory / "archive", mode=0o600)
            except OSError:  # full, or not ours to write: the engine takes the archive there
                continue
            doors[node] = Door(directory / "archive", f"{MOUNTED}/{directory.name}/archive")
        yield doors


def _usable(place: Path) -> bool:
    try:
        return place.is_dir() and os.access(place, os.W_OK)
    except OSError:  # below a directory of somebody else
        return False
