"""The engine's own files: layers as it keeps them, and tar archives rebuilt from their records."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import posixpath
import secrets
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from boxproof.core.process import CommandFailed, owner, piped, run
from boxproof.core.session import RUN_LABEL as LABEL
from boxproof.core.session import EngineInfo
from pytest_claims.faults import EnvironmentFault

MOUNTED = "/boxproof-engine"
# the engine mounts running containers below these directories; said as clients since 25 do, and before
OWN_MOUNT_ONLY = ("bind-recursive=disabled", "bind-nonrecursive=true")
CHUNK = 1 << 20


class Files(Protocol):
    """Files by paths like ``layers/ID/diff/etc/passwd``: the first part is the name of a directory given."""

    def file(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """Give a file's content, to be read once; raises EnvironmentFault if there is none."""

    def tree(self, path: str) -> AbstractContextManager[OpenFile]:
        """Give what opens the files below a directory by their relative names."""


@dataclass(frozen=True)
class Local:
    """The directories as they lie on this machine."""

    directories: Mapping[str, str]

    @contextmanager
    def file(self, path: str) -> Iterator[IO[bytes]]:
        """Open the file."""
        try:
            with self._path(path).open("rb") as source:
                yield source
        except OSError as error:
            raise EnvironmentFault(f"the engine's store: {error}") from error

    @contextmanager
    def tree(self, path: str) -> Iterator[OpenFile]:
        """Open files where they lie; a link is no file."""
        directory = self._path(path)

        def content(name: str) -> io.RawIOBase:
            return io.FileIO(os.open(directory / name, os.O_RDONLY | os.O_NOFOLLOW))

        yield content

    def _path(self, path: str) -> Path:
        first, _, rest = path.partition("/")
        return Path(self.directories[first]) / rest


@dataclass(frozen=True)
class Copied:
    """The directories seen through a container that never runs: ``docker cp`` reads them inside the engine.

    So they can be read of an engine elsewhere, without root, or in a virtual machine.
    """

    engine: EngineInfo
    container: str

    @contextmanager
    def file(self, path: str) -> Iterator[IO[bytes]]:
        """Copy one file, as a stream."""
        with self._copy(path) as archive:
            member = archive.next()
            content = archive.extractfile(member) if member else None
            if content is None:
                raise EnvironmentFault(f"the engine's store: {path} is no file")
            yield content

    @contextmanager
    def tree(self, path: str) -> Iterator[OpenFile]:
        """Copy the directory to a temporary file and open what it holds there."""
        places: dict[str, tuple[int, int]] = {}
        with tempfile.TemporaryFile(prefix="boxproof-layer-") as spool:
            with self._copy(path) as archive:
                for member in archive:
                    name = member.name.partition("/")[2]
                    if member.isreg():
                        places[name] = (spool.tell(), member.size)
                        _pour(archive.extractfile(member), spool)
                    elif member.islnk():
                        places[name] = places[member.linkname.partition("/")[2]]

            spool.flush()

            def content(name: str) -> io.RawIOBase:
                return _Slice(spool.fileno(), *places[name])

            yield content

    @contextmanager
    def _copy(self, path: str) -> Iterator[tarfile.TarFile]:
        argv = [self.engine.client, "cp", f"{self.container}:{MOUNTED}/{path}", "-"]
        try:
            with piped(argv, env=self.engine.env) as stream:
                with tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK) as archive:
                    yield archive
                while stream.read(CHUNK):  # the writer must not meet a closed pipe
                    pass
        except (tarfile.TarError, KeyError) as error:
            raise EnvironmentFault(f"the engine's store: cannot copy {path}: {error}") from error


class _Slice(io.RawIOBase):
    """A part of an open file."""

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        super().__init__()
        self._descriptor, self._at, self._end = descriptor, start, start + size

    def read(self, size: int = -1) -> bytes:
        """Read on, at most to the end of the part."""
        left = self._end - self._at
        data = os.pread(self._descriptor, left if size < 0 else min(size, left), self._at)
        self._at += len(data)
        return data


@contextmanager
def copied(engine: EngineInfo, image: str, directories: Mapping[str, str]) -> Iterator[Copied]:
    """Give the engine's own ``directories`` through a container of ``image`` that is never started.

    Raises EnvironmentFault if the engine does not have them or does not allow it.
    """
    name = f"boxproof-store-{secrets.token_hex(6)}"
    words = ["create", "--name", name, "--network=none", "--pull=never", "--label", f"{LABEL}={_run()}"]
    mounts = [
        f"type=bind,source={source},target={MOUNTED}/{target}" for target, source in directories.items()
    ]
    try:
        for own in OWN_MOUNT_ONLY:
            options = [word for each in mounts for word in ("--mount", f"{each},readonly,{own}")]
            argv = [engine.client, *words, *options, image, "never-run"]
            made = run(argv, env=engine.env, timeout=60, check=False)
            if made.ok or own.partition("=")[0] not in made.stderr:
                break
        if not made.ok:
            raise CommandFailed(made)
        yield Copied(engine, name)
    finally:
        run([engine.client, "rm", "--force", "--volumes", name], env=engine.env, timeout=60, check=False)


def _run() -> str:
    """Return the run that what is made here belongs to."""
    return Path(owner()).stem


def _pour(source: IO[bytes] | None, sink: IO[bytes]) -> None:
    while source and (chunk := source.read(CHUNK)):
        sink.write(chunk)


SEGMENT = 2

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
