"""What compressed files hold: streams of gzip, bzip2, xz and zlib, archives of zip and tar, packs of git."""

from __future__ import annotations

import bz2
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator

GZIP, BZIP2, XZ, ZIP, PACK = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"PK\x03\x04", b"PACK\0\0\0"
SIGNS = (GZIP, BZIP2, XZ, ZIP, PACK)  # the last with its version: a text may begin with its word
PIECE = 64 << 10  # bytes
MOST = 64 << 20  # bytes that one file may become; a larger one is no file of settings
LOOSE = re.compile(r"(^|/)objects/[0-9a-f]{2}/[0-9a-f]{38,62}$")  # git keeps an object of its own so, in zlib
SUFFIX = re.compile(r"\.(gz|tgz|bz2|xz|zip|whl|jar)$")
TAR = slice(257, 262)  # POSIX.1-1988: where a header says "ustar"
DELTAS = {6: "by offset", 7: "by name"}  # types of objects in a pack that begin with what they are based on

Member = tuple[str, bytes]


def is_compressed(data: bytes, name: str = "") -> bool:
    """Return whether a file with these first bytes may hold something else than what its bytes show."""
    return data.startswith(SIGNS) or LOOSE.search(name) is not None


def unpacked(data: bytes, name: str = "") -> Iterator[Member]:
    """Yield name and content of what a compressed file holds, of at most ``MOST`` bytes in all.

    What is damaged or locked yields what could be read before that.
    """
    if data.startswith(ZIP):
        yield from _zipped(data)
    elif data.startswith(PACK):
        yield from ((name, each) for each in _packed(data))
    else:
        inner = _expanded(data)
        yield from _tarred(inner) if inner[TAR] == b"ustar" else [(SUFFIX.sub("", name), inner)]


def _expanded(data: bytes) -> bytes:
    if data.startswith(BZIP2):
        return _until_damaged(bz2.BZ2Decompressor().decompress, data)
    if data.startswith(XZ):
        return _until_damaged(lzma.LZMADecompressor().decompress, data)
    return _until_damaged(zlib.decompressobj(31 if data.startswith(GZIP) else 15).decompress, data)


def _until_damaged(decompress: Callable[[bytes, int], bytes], data: bytes) -> bytes:
    try:
        return decompress(data, MOST)
    except (OSError, lzma.LZMAError, zlib.error):
        return b""


def _zipped(data: bytes) -> Iterator[Member]:
    left = MOST
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for each in archive.infolist():
                if each.is_dir() or each.file_size > left:
                    continue
                left -= each.file_size
                yield each.filename, archive.read(each)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, zlib.error, EOFError):
        return  # locked by a password, damaged, or compressed in a way that nothing here reads


def _tarred(data: bytes) -> Iterator[Member]:
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for each in archive:
                inside = archive.extractfile(each) if each.isfile() else None
                if inside is not None:
                    yield each.name, inside.read()
    except (tarfile.TarError, OSError, EOFError):
        return


def _packed(data: bytes) -> Iterator[bytes]:
    """Yield the objects of a pack of git; of one that is told as a change of another, what is new in it.

    gitformat-pack(5): a header of 12 bytes, then for each object its type and size, where it is a change
    the object that it is based on, and one stream of zlib.
    """
    at, left = 12, MOST
    while at < len(data) - 20 and left > 0:  # the last 20 are the pack's own sum
        kind = data[at] >> 4 & 7
        at = _after_number(data, at)
        if DELTAS.get(kind) == "by offset":
            at = _after_number(data, at)
        elif kind in DELTAS:
            at += 20
        content, at = _inflated(data, at, left)
        if not at:
            return
        yield content
        left -= len(content)


def _inflated(data: bytes, at: int, most: int) -> tuple[bytes, int]:
    """Return what the stream of zlib at ``at`` holds and where it ends; 0 for one damaged or too large.

    It is fed in pieces, as what is left over of a piece is copied.
    """
    stream, made = zlib.decompressobj(), b""
    while at < len(data) and len(made) <= most:
        piece = data[at : at + PIECE]
        try:
            made += stream.decompress(piece)
        except zlib.error:
            break
        at += len(piece) - len(stream.unused_data)
        if stream.eof:
            return made, at
    return b"", 0


def _after_number(data: bytes, at: int) -> int:
    """Return where a number of git's ends: all of its bytes but the last have their first bit set."""
    while at < len(data) and data[at] & 0x80:
        at += 1
    return at + 1
