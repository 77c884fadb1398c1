"""A layer's tar rebuilt byte for byte from what an engine keeps of it: headers and padding, and its files.

The engine's record is lines of JSON, gzipped: ``{"type": 2, "payload": base64}`` are bytes as they stand,
``{"type": 1, "name": …, "size": n}`` stands for the content of a file (an absent size is 0).
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import posixpath
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from pytest_claims.faults import EnvironmentFault

SEGMENT = 2
CHUNK = 1 << 20
OpenFile = Callable[[str], io.RawIOBase]


@dataclass(frozen=True)
class Piece:
    """A piece of a tar: ``data`` as it stands, or ``size`` bytes of the file ``name``."""

    data: bytes = b""
    name: str = ""
    size: int = 0


def pieces(record: IO[bytes]) -> Iterator[Piece]:
    """Yield the pieces of a tar from the engine's gzipped record; raises EnvironmentFault if it is broken.

    Names are relative to the layer's directory and stay below it.
    """
    try:
        with gzip.open(record) as lines:
            for line in lines:
                yield _piece(json.loads(line))
    except (OSError, EOFError, zlib.error, ValueError, KeyError) as error:
        raise EnvironmentFault(f"the engine's record of a layer cannot be read: {error}") from error


def length(record: IO[bytes]) -> int:
    """Return the bytes of the tar that ``record`` describes."""
    return sum(len(each.data) + each.size for each in pieces(record))


def rebuilt(record: IO[bytes], content: OpenFile) -> Iterator[bytes]:
    """Yield the bytes of the tar; ``content`` opens a file of the layer by its name.

    Raises EnvironmentFault for a file that is missing or shorter than the record says.
    """
    for piece in pieces(record):
        if piece.data:
            yield piece.data
        elif piece.size:
            yield from _content(piece, content)


def _piece(entry: dict[str, object]) -> Piece:
    if entry["type"] == SEGMENT:
        return Piece(data=base64.b64decode(str(entry.get("payload") or "")))
    raw = entry.get("name_raw")  # a name that is not UTF-8
    name = base64.b64decode(str(raw)).decode(errors="surrogateescape") if raw else str(entry["name"])
    size = entry.get("size") or 0
    assert isinstance(size, int)
    return Piece(name=posixpath.normpath(f"/{name}").lstrip("/"), size=size)


def _content(piece: Piece, content: OpenFile) -> Iterator[bytes]:
    left = piece.size
    try:
        with content(piece.name) as source:
            while left and (chunk := source.read(min(CHUNK, left))):
                left -= len(chunk)
                yield chunk
    except (OSError, KeyError) as error:
        raise EnvironmentFault(f"a file of the layer cannot be read: {error}") from error
    if left:
        raise EnvironmentFault(f"a file of the layer ends {left} bytes early: {piece.name}")
