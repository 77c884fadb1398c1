"""An image's layers, read from the layers themselves: their bytes, unpacked and compressed, and their files."""

from __future__ import annotations

import json
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from boxproof import log
from boxproof.errors import EnvironmentFault
from boxproof.run import piped
from boxproof.session import EngineInfo
from boxproof.settings import Settings
from boxproof.subject.base import inspect

BLOCK = 1 << 20  # bytes compressed at a time, side by side, as pigz does
LEVEL = 6
GZIP_HEADER = 18  # bytes around the stream
WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"
THREADS = 4


@dataclass(frozen=True)
class Layer:
    """One layer; ``files`` maps paths to bytes: 0 for what holds none, whiteouts by their own names."""

    digest: str
    compressed_bytes: int
    unpacked_bytes: int
    files: dict[str, int]


def layers(engine: EngineInfo | None, reference: str) -> list[Layer]:
    """Return the layers of an image, first to last; a layer is read once on a machine.

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
    if not all(_record(known, each).is_file() for each in digests):
        with log.step(f"reading the layers of {reference}"):
            _read_image(engine, reference, digests, known)
    return [Layer(**json.loads(_record(known, each).read_text())) for each in digests]


def wasted_bytes(found: Sequence[Layer]) -> int:
    """Return the bytes of files that later layers delete or overwrite."""
    held: dict[str, int] = {}
    wasted = 0
    for layer in found:
        gone = [each for name in layer.files for each in _covered(name, held)]
        gone += [each for each in layer.files if each in held]
        wasted += sum(held.pop(each) for each in dict.fromkeys(gone))
        held |= {name: size for name, size in layer.files.items() if not _is_whiteout(name)}
    return wasted


def efficiency(found: Sequence[Layer]) -> float:
    """Return the share of the layers' file bytes that is not wasted, from 0 to 1."""
    total = sum(sum(each.files.values()) for each in found)
    return 1 - wasted_bytes(found) / total if total else 1.0


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
    return known / f"{digest.replace(':', '-')}.json"


def _read_image(engine: EngineInfo, reference: str, digests: list[str], known: Path) -> None:
    """Read the stream of ``docker save`` once and write down each layer in it."""
    read: dict[str, Path] = {}
    order: list[str] = []
    with tempfile.TemporaryDirectory(dir=known) as below:
        with (
            piped([engine.client, "save", reference], env=engine.env) as stream,
            tarfile.open(fileobj=stream, mode="r|") as saved,
        ):
            for number, member in enumerate(saved):
                content = saved.extractfile(member) if member.isfile() else None
                if content is None:
                    continue
                if member.name == "manifest.json":
                    order = json.load(content)[0]["Layers"]
                elif _is_layer(member.name):
                    path = Path(below) / str(number)
                    measured = _measure(content)
                    path.write_text(json.dumps(measured))
                    read[member.name] = path
            shutil.copyfileobj(stream, _Nowhere())  # type: ignore[misc]
        for name, digest in zip(order, digests, strict=True):
            if name not in read:
                raise EnvironmentFault(f"docker save of {reference} left out {name}")
            values = json.loads(read[name].read_text()) | {"digest": digest}
            made = Path(below) / "layer"
            made.write_text(json.dumps(values))
            made.replace(_record(known, digest))
