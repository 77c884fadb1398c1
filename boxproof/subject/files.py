"""The files of an image, read without running anything of it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any

from docker.errors import DockerException, NotFound

from boxproof.errors import EnvironmentFault

LARGEST = 4_000_000  # bytes; a larger file is no script and no table


@contextmanager
def reader(docker: Any, image: str, *, run: str) -> Iterator[Callable[[str], str | None]]:
    """Give a function that returns a file's text by its path in the image, None where there is none.

    Links are followed; ``docker`` is a docker client. Raises EnvironmentFault if the engine refuses.
    """
    labels = {"boxproof.dev/run": run}
    try:
        made = docker.containers.create(image, command=["never-run"], labels=labels)
    except DockerException as error:
        raise EnvironmentFault(f"cannot open {image}: {error}") from error
    try:
        yield lambda path: read(made, path)
    finally:
        made.remove(force=True, v=True)


def read(container: Any, path: str) -> str | None:
    """Return the text of a file in a container, running or not; None for what is no readable file."""
    for _ in range(8):  # links in a row
        try:
            stream, stat = container.get_archive(path)
        except NotFound:
            return None
        except DockerException as error:
            raise EnvironmentFault(f"cannot read {path}: {error}") from error
        if stat["linkTarget"] and stat["linkTarget"] != path:
            path = str(PurePosixPath(path).parent / stat["linkTarget"])
            continue
        if stat["size"] > LARGEST:
            return None
        return _text(b"".join(stream))
    return None


def _text(data: bytes) -> str | None:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        first = tar.next()
        content = tar.extractfile(first) if first and first.isfile() else None
        return content.read().decode(errors="replace") if content else None
