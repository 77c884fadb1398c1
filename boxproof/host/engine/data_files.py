"""Files of an engine's data directory, as they lie on this machine or through the Docker API alone."""

from __future__ import annotations

import io
import os
import secrets
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from boxproof.core.labels import RUN_LABEL as LABEL
from boxproof.core.process import CommandFailed, owner, piped, run
from boxproof.core.session import EngineInfo
from boxproof.host.engine.tar_split import OpenFile
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
