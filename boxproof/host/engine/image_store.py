"""An engine's images layer by layer, out of its own store: ``docker save`` writes all of an image, always.

Both of Docker's stores are known: the classic one (a layer is a directory and the record of its tar) and
containerd's (a layer is a blob). What is read is verified against its digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

from boxproof.core.process import run
from boxproof.core.session import EngineInfo
from boxproof.host.engine import data_files
from boxproof.host.engine.data_files import Files
from pytest_claims.faults import EnvironmentFault

Way = Literal["local", "api"]  # read where they lie, or through the Docker API alone
WAYS: tuple[Way, ...] = ("local", "api")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
DIRECTORIES_OF_LAYERS = ("overlay2", "fuse-overlayfs")  # drivers that keep a layer as a directory of its own
CONTENT = "io.containerd.content.v1.content/blobs/sha256"
CHUNK = 1 << 20


@dataclass(frozen=True)
class Layer:
    """A layer as a node keeps it; ``size`` is in bytes, 0 if the store does not tell without reading it."""

    digest: str
    size: int = 0


@dataclass(frozen=True)
class Image:
    """An image's config (its digest is the id in a node), its layers, and its manifest where there is one."""

    config: bytes
    layers: tuple[Layer, ...]
    manifest: bytes = b""

    @property
    def id(self) -> str:
        """The digest of the config."""
        return digest(self.config)


class Store(Protocol):
    """Reads images; each method raises EnvironmentFault for what the store does not have or cannot give."""

    def image(self, reference: str, /) -> Image:
        """Return what an image is made of."""

    def size(self, layer: Layer) -> int:
        """Return the bytes of a layer of an image that was asked for."""

    def chunks(self, layer: Layer) -> Iterator[bytes]:
        """Yield a layer's bytes; the end is reached only if they have its digest."""


@dataclass
class Classic:
    """The store of Docker's own drivers; the layers have the digests of their tars."""

    engine: EngineInfo
    files: Files
    chains: dict[str, str] = field(default_factory=dict)  # a layer's digest -> its place in the store

    def image(self, reference: str) -> Image:
        """Return what an image is made of."""
        identity = str(inspected(self.engine, reference)["Id"])
        config = _whole(self.files, f"meta/imagedb/content/{identity.replace(':', '/')}", identity)
        digests: list[str] = json.loads(config)["rootfs"]["diff_ids"]
        chain = ""
        for each in digests:
            chain = digest(f"{chain} {each}".encode()) if chain else each
            self.chains.setdefault(each, chain)
        return Image(config, tuple(map(Layer, digests)))

    def size(self, layer: Layer) -> int:
        """Return the bytes of the layer's tar, from its record."""
        with self.files.file(f"{self._place(layer)}/tar-split.json.gz") as record:
            return data_files.length(record)

    def chunks(self, layer: Layer) -> Iterator[bytes]:
        """Rebuild the layer's tar."""
        place = self._place(layer)
        with self.files.file(f"{place}/cache-id") as source:
            directory = f"layers/{source.read().decode().strip()}/diff"
        with (
            self.files.file(f"{place}/tar-split.json.gz") as record,
            self.files.tree(directory) as content,
        ):
            yield from verified(data_files.rebuilt(record, content), layer.digest)

    def _place(self, layer: Layer) -> str:
        return f"meta/layerdb/{self.chains[layer.digest].replace(':', '/')}"


@dataclass
class Blobs:
    """containerd's store; the layers are kept as they were built or pulled, compressed or not."""

    engine: EngineInfo
    files: Files

    def image(self, reference: str) -> Image:
        """Return what an image is made of, for the platform the engine runs."""
        shown = inspected(self.engine, reference)
        identity = str(shown["Id"])
        manifest = self._blob(identity)
        listed = json.loads(manifest)
        if "manifests" in listed:
            wanted = (shown.get("Os"), shown.get("Architecture"))
            manifest = self._blob(_of_platform(listed["manifests"], wanted, reference))
            listed = json.loads(manifest)
        layers = tuple(Layer(each["digest"], each["size"]) for each in listed["layers"])
        return Image(self._blob(listed["config"]["digest"]), layers, manifest)

    def size(self, layer: Layer) -> int:
        """Return the bytes of the layer, as its manifest told."""
        return layer.size

    def chunks(self, layer: Layer) -> Iterator[bytes]:
        """Read the layer's blob."""
        with self.files.file(f"blobs/{_hex(layer.digest)}") as source:
            yield from verified(iter(lambda: source.read(CHUNK), b""), layer.digest)

    def _blob(self, wanted: str) -> bytes:
        return _whole(self.files, f"blobs/{_hex(wanted)}", wanted)


@contextmanager
def opened(engine: EngineInfo, reference: str, ways: Iterable[Way] = WAYS) -> Iterator[Store]:
    """Give the engine's store, by the first of ``ways`` in which it shows the image ``reference``.

    Raises EnvironmentFault when there is none.
    """
    with ExitStack() as held:
        yield _first(engine, reference, ways, held)


def inspected(engine: EngineInfo, reference: str) -> Mapping[str, Any]:
    """Return what the engine knows of an image; raises EnvironmentFault if it has none of that name."""
    found = run([engine.client, "image", "inspect", reference], env=engine.env, timeout=60, check=False)
    if not found.ok:
        raise EnvironmentFault(f"the engine has no image {reference}")
    shown: list[dict[str, Any]] = json.loads(found.stdout)
    return shown[0]


def verified(chunks: Iterable[bytes], wanted: str) -> Iterator[bytes]:
    """Yield ``chunks``; raises EnvironmentFault at their end if they do not have the digest ``wanted``."""
    summed = hashlib.sha256()
    for chunk in chunks:
        summed.update(chunk)
        yield chunk
    found = f"sha256:{summed.hexdigest()}"
    if found != wanted:
        raise EnvironmentFault(f"the engine's store: what is kept of {wanted} has the digest {found}")


def digest(data: bytes) -> str:
    """Return "sha256:…" of ``data``."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _first(engine: EngineInfo, reference: str, ways: Iterable[Way], held: ExitStack) -> Store:
    info = _info(engine)
    places = candidates(info)
    faults = ["no way to it was allowed" if places else f"its driver {info.get('Driver')} is not known"]
    for way in ways:
        for directories in places:
            with ExitStack() as attempt:
                try:
                    files = _files(engine, reference, way, directories, attempt)
                    store = Blobs(engine, files) if "blobs" in directories else Classic(engine, files)
                    store.image(reference)
                except EnvironmentFault as fault:
                    faults.append(fault.message.splitlines()[-1])
                    continue
                held.push(attempt.pop_all())
                return store
    raise EnvironmentFault(f"the engine's store cannot be read: {faults[-1]}")


def of_containerd(engine: EngineInfo) -> bool:
    """Return whether the engine keeps images as containerd does: an image's id is its manifest's digest."""
    return _containerds(_info(engine))


def _containerds(info: Mapping[str, Any]) -> bool:
    return dict(info.get("DriverStatus") or {}).get("driver-type") == "io.containerd.snapshotter.v1"


@lru_cache
def _info(engine: EngineInfo) -> dict[str, Any]:
    argv = [engine.client, "info", "--format", "{{json .}}"]
    told: dict[str, Any] = json.loads(run(argv, env=engine.env, timeout=60).stdout)
    return told


def candidates(info: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """Return where the store may lie on the engine's machine, from what ``docker info`` tells."""
    root, driver = str(info["DockerRootDir"]), str(info.get("Driver"))
    if _containerds(info):
        places = (f"{root}/containerd/daemon", "/var/lib/containerd")
        return [{"blobs": f"{place}/{CONTENT}"} for place in places]
    if driver in DIRECTORIES_OF_LAYERS:
        return [{"meta": f"{root}/image/{driver}", "layers": f"{root}/{driver}"}]
    return []


def _files(
    engine: EngineInfo, reference: str, way: Way, directories: Mapping[str, str], held: ExitStack
) -> Files:
    if way == "api":
        return held.enter_context(data_files.copied(engine, reference, directories))
    if not engine.host.startswith("unix://"):
        raise EnvironmentFault("the engine is elsewhere")
    try:
        here = all(Path(each).is_dir() for each in directories.values())
    except OSError:  # below a directory of somebody else
        here = False
    if not here:
        raise EnvironmentFault("the engine's directory cannot be read here")
    return data_files.Local(directories)


def _of_platform(manifests: list[dict[str, Any]], wanted: tuple[Any, Any], reference: str) -> str:
    for each in manifests:
        platform = each.get("platform") or {}
        if (platform.get("os"), platform.get("architecture")) == wanted:
            return str(each["digest"])
    raise EnvironmentFault(f"{reference} has no manifest for {'/'.join(map(str, wanted))}")


def _whole(files: Files, path: str, wanted: str) -> bytes:
    with files.file(path) as source:
        return b"".join(verified(iter(lambda: source.read(CHUNK), b""), wanted))


def _hex(name: str) -> str:
    return name.removeprefix("sha256:")
