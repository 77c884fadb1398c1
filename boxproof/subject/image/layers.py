"""An image's layers, read from the layers themselves: their bytes, compressed or not, and their files."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import tempfile
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

import filelock

from boxproof.core.process import piped
from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.host.engine import image_store
from boxproof.subject.image.base_image import inspect
from boxproof.subject.supply_chain import secret_scan
from boxproof.subject.supply_chain.published_files import Published
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault

BLOCK = 1 << 20  # bytes compressed at a time, side by side, as pigz does
LEVEL = 6
GZIP_HEADER = 18  # bytes around the stream
WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"
THREADS = 4
FORM = 2  # of the records: those of another form are read anew


@dataclass(frozen=True)
class Layer:
    """One layer; ``files`` maps paths to bytes: 0 for what holds none, whiteouts by their own names.

    ``suspects`` are the files that look like secrets, or hold some: path -> kinds. ``hollow`` is what holds
    no bytes and is no directory: links, empty files.
    """

    digest: str
    compressed_bytes: int
    unpacked_bytes: int
    files: dict[str, int]
    suspects: dict[str, list[str]] = field(default_factory=dict)
    hollow: list[str] = field(default_factory=list)


def layers(engine: EngineInfo | None, reference: str, *, suspects: bool = False) -> list[Layer]:
    """Return the layers of an image, first to last; a layer is read once on a machine.

    With ``suspects`` it is read again if what counts as one has changed since.
    Raises EnvironmentFault if there is no engine or it has no such image.
    """
    if engine is None:
        raise EnvironmentFault("this run has no engine")
    answer = inspect(engine, reference, "{{json .RootFS.Layers}}")
    if not answer:
        raise EnvironmentFault(f"the engine has no image {reference}")
    digests: list[str] = json.loads(answer) or []
    known = Settings.load().cache / "layers"
    known.mkdir(parents=True, exist_ok=True)
    mine = hashlib.sha256(" ".join(digests).encode()).hexdigest()[:16]
    with filelock.FileLock(known / f"{mine}.lock"):  # each check of an image would read all of it
        if not all(_read_before(_record(known, each), suspects) for each in digests):
            with progress.step(f"reading the layers of {reference}"):
                _read_image(engine, reference, digests, known, suspects)
    return [_read_again(_record(known, each)) for each in digests]


def wasted_bytes(found: Sequence[Layer]) -> int:
    """Return the bytes of files that later layers delete or overwrite."""
    held: dict[str, int] = {}
    wasted = 0
    for layer in found:
        gone = [each for name in layer.files for each in _covered(name, held)]
        gone += [each for each in layer.files if each in held]
        gone += _replaced(layer, held)
        wasted += sum(held.pop(each) for each in dict.fromkeys(gone))
        held |= {name: size for name, size in layer.files.items() if not _is_whiteout(name)}
    return wasted


def efficiency(found: Sequence[Layer]) -> float:
    """Return the share of the layers' file bytes that is not wasted, from 0 to 1."""
    total = sum(sum(each.files.values()) for each in found)
    return 1 - wasted_bytes(found) / total if total else 1.0


def _replaced(layer: Layer, held: dict[str, int]) -> list[str]:
    """Return what was held below a directory that a file or a link has taken the place of."""
    above = {str(parent): each for each in held for parent in PurePosixPath(each).parents}
    others = [*(name for name, size in layer.files.items() if size), *layer.hollow]
    new = [name for name in others if name in above]
    return [each for name in new for each in held if each.startswith(f"{name}/")]


def _is_whiteout(name: str) -> bool:
    return PurePosixPath(name).name.startswith(WHITEOUT)


def _covered(name: str, held: dict[str, int]) -> Iterator[str]:
    """Yield what a whiteout deletes: a file, or all that is below a directory."""
    path = PurePosixPath(name)
    if not path.name.startswith(WHITEOUT):
        return
    target = path.parent if path.name == OPAQUE else path.with_name(path.name.removeprefix(WHITEOUT))
    prefix = f"{target}/"
    for each in held:
        if each.startswith(prefix) or (each == str(target) and path.name != OPAQUE):
            yield each


def _record(known: Path, digest: str) -> Path:
    return known / f"{digest.replace(':', '-')}.{FORM}.json"


def _read_before(record: Path, suspects: bool) -> bool:
    return record.is_file() and (not suspects or _suspects(record).is_file())


def _read_again(record: Path) -> Layer:
    beside = _suspects(record)
    suspects = json.loads(beside.read_text()) if beside.is_file() else {}
    return Layer(**json.loads(record.read_text()), suspects=suspects)


def _suspects(record: Path) -> Path:
    return record.with_suffix(f".{secret_scan.VERSION}.json")


def _read_image(engine: EngineInfo, reference: str, digests: list[str], known: Path, suspects: bool) -> None:
    """Write down the layers that were not read before: out of the engine's store, else of a saved image."""
    try:
        with image_store.opened(engine, reference) as store:
            for digest, blob in zip(digests, store.image(reference).layers, strict=True):
                if not _read_before(_record(known, digest), suspects):
                    measured = measure(io.BufferedReader(_Chunks(store.chunks(blob)), BLOCK))
                    if measured:
                        _keep(known, digest, measured)
    except EnvironmentFault as fault:
        progress.say(f"saving the whole image: {fault.message}")
        _read_saved(engine, reference, digests, known, suspects)


def _read_saved(engine: EngineInfo, reference: str, digests: list[str], known: Path, suspects: bool) -> None:
    """Read the stream of ``docker save`` once and write down each layer in it."""
    read: dict[str, Layer] = {}
    order: list[str] = []
    with (
        piped([engine.client, "save", reference], env=engine.env) as stream,
        tarfile.open(fileobj=stream, mode="r|", bufsize=BLOCK) as saved,
    ):
        for member in saved:
            content = saved.extractfile(member) if member.isfile() else None
            if content is None:
                continue
            earlier = _record(known, f"sha256:{PurePosixPath(member.name).name}")
            if _read_before(earlier, suspects):  # blobs of layers are called by their digest
                read[member.name] = _read_again(earlier)
            elif member.name == "manifest.json":
                order = json.load(content)[0]["Layers"]
            else:
                measured = measure(content)
                if measured:
                    read[member.name] = measured
        while stream.read(BLOCK):  # the padding: else docker sees a closed pipe
            pass
    for name, digest in zip(order, digests, strict=True):
        if name not in read:
            raise EnvironmentFault(f"docker save of {reference} left out {name}")
        _keep(known, digest, read[name])


def _keep(known: Path, digest: str, layer: Layer) -> None:
    values = asdict(layer) | {"digest": digest}
    _write(_suspects(_record(known, digest)), values.pop("suspects"))
    _write(_record(known, digest), values)


def _write(path: Path, values: dict[str, object]) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as made:
        json.dump(values, made)
    Path(made.name).replace(path)


def measure(content: IO[bytes]) -> Layer | None:
    """Return the layer in a blob of a saved image, without its digest; None if the blob is no layer."""
    first = content.read(512)
    whole: IO[bytes] = io.BufferedReader(_Joined(first, content))
    if first[:2] == b"\x1f\x8b":  # an engine with containerd's store saves layers as they were pushed
        whole = gzip.GzipFile(fileobj=whole)  # type: ignore[assignment]
    elif first[257:262] != b"ustar" and first.strip(b"\0"):
        return None
    with ThreadPoolExecutor(THREADS) as pool:
        counted = _Counted(whole, pool)
        files: dict[str, int] = {}
        suspects: dict[str, list[str]] = {}
        hollow: list[str] = []
        published = Published()
        with tarfile.open(fileobj=counted, mode="r|", bufsize=BLOCK) as tar:
            for entry in tar:
                name = entry.name.removeprefix("./").rstrip("/")
                files[name] = entry.size if entry.isreg() else 0
                if not files[name] and not entry.isdir() and not _is_whiteout(name):
                    hollow.append(name)
                inside = tar.extractfile(entry) if files[name] else None
                if inside is not None:
                    kinds = secret_scan.by_name(name) + secret_scan.in_file(
                        published.hear(name, inside), name
                    )
                    suspects |= {name: kinds} if kinds else {}
        while counted.read(BLOCK):
            pass
        suspects = {name: kinds for name, kinds in suspects.items() if not published.has(name)}
        return Layer("", counted.finish(), counted.unpacked, files, suspects, hollow)


class _Chunks(io.RawIOBase):
    """Chunks as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.chunks, self.left = chunks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self.left:
            found = next(self.chunks, None)
            if found is None:
                return 0
            self.left = found
        data = self.left[: len(buffer)]
        self.left = self.left[len(data) :]
        buffer[: len(data)] = data
        return len(data)


class _Joined(io.RawIOBase):
    """What was read ahead, then the rest."""

    def __init__(self, first: bytes, rest: IO[bytes]) -> None:
        self.first, self.rest = first, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.first[: len(buffer)] or self.rest.read(len(buffer))
        self.first = self.first[len(data) :]
        buffer[: len(data)] = data
        return len(data)


class _Counted(io.BytesIO):
    """Passes a stream on, and counts its bytes, unpacked and compressed."""

    def __init__(self, source: IO[bytes], pool: ThreadPoolExecutor) -> None:
        super().__init__()
        self.source, self.pool = source, pool
        self.unpacked = self.compressed = 0
        self.block = bytearray()
        self.under_way: deque[Future[int]] = deque()

    def read(self, size: int | None = -1) -> bytes:
        """Read as a file does; whole blocks go to the compressors."""
        data = self.source.read(-1 if size is None else size)
        self.unpacked += len(data)
        self.block += data
        while len(self.block) >= BLOCK:
            self._submit(bytes(self.block[:BLOCK]))
            del self.block[:BLOCK]
        return data

    def finish(self) -> int:
        """Return the compressed bytes of all that was read."""
        if self.block:
            self._submit(bytes(self.block))
        while self.under_way:
            self.compressed += self.under_way.popleft().result()
        return self.compressed + GZIP_HEADER

    def _submit(self, block: bytes) -> None:
        self.under_way.append(self.pool.submit(_deflated, block))
        if len(self.under_way) > 2 * THREADS:  # no more than a few blocks in memory
            self.compressed += self.under_way.popleft().result()


def _deflated(block: bytes) -> int:
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return len(deflate.compress(block)) + len(deflate.flush(zlib.Z_SYNC_FLUSH))
