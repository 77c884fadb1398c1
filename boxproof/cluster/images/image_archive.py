"""Image archives as streams: read once from the engine, each of several readers getting what it lacks."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import tarfile
import termios
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import IO, TypeVar

from boxproof.core.session import EngineInfo
from boxproof.host.engine.docker_cli import streamed
from pytest_claims.faults import DeadlineExceeded, EnvironmentFault
from pytest_claims.waiting import until

CHUNK = 1 << 20
TAKEN_TIMEOUT = 120.0  # seconds for what a pipe holds
BLOB = "blobs/sha256/"
T = TypeVar("T")


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
