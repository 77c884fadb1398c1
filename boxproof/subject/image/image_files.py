"""The files of an image, read without running anything of it."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any

from docker.errors import DockerException, NotFound

from boxproof.core.session import RUN_LABEL
from pytest_claims.faults import EnvironmentFault

LARGEST = 4_000_000  # bytes; a larger file is no script and no table


@contextmanager
def reader(docker: Any, image: str, *, run: str) -> Iterator[Callable[[str], str | None]]:
    """Give a function that returns a file's text by its path in the image, None where there is none.

    Links are followed; ``docker`` is a docker client. Raises EnvironmentFault if the engine refuses.
    """
    with _opened(docker, image, run) as made:
        yield lambda path: read(made, path)


@contextmanager
def _opened(docker: Any, image: str, run: str) -> Iterator[Any]:
    labels = {RUN_LABEL: run}
    try:
        made = docker.containers.create(image, command=["never-run"], labels=labels)
    except DockerException as error:
        raise EnvironmentFault(f"cannot open {image}: {error}") from error
    try:
        yield made
    finally:
        made.remove(force=True, v=True)


@contextmanager
def lister(docker: Any, image: str, *, run: str) -> Iterator[Callable[[str], list[str]]]:
    """Give a function that returns the files below a directory of the image; options as of ``reader``."""
    with _opened(docker, image, run) as made:
        yield lambda directory: below(made, directory)


def below(container: Any, directory: str) -> list[str]:
    """Return the paths of the files and links below a directory of a container, none if there is no such."""
    try:
        stream, _ = container.get_archive(directory)
    except NotFound:
        return []
    except DockerException as error:
        raise EnvironmentFault(f"cannot list {directory}: {error}") from error
    parent = PurePosixPath(directory).parent
    with tempfile.TemporaryFile() as whole:
        for chunk in stream:
            whole.write(chunk)
        whole.seek(0)
        with tarfile.open(fileobj=whole) as tar:
            return sorted(str(parent / each.name) for each in tar if not each.isdir())


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


def account(config: Mapping[str, Any], passwd: str) -> dict[str, Any]:
    """Return "uid" and "home" of an image's user, by its configuration and its table of users, where known.

    No user is root.
    """
    named = str(config.get("User") or "0").partition(":")[0]
    rows = [each.split(":") for each in passwd.splitlines()]
    own = next((row for row in rows if len(row) > 5 and named in (row[0], row[2])), [])
    number = named if named.isdigit() else own[2] if own else "0" if named == "root" else ""
    given = dict(each.partition("=")[::2] for each in config.get("Env") or ())
    home = given.get("HOME") or (own[5] if own else "")
    return ({"uid": int(number)} if number.isdigit() else {}) | ({"home": home} if home else {})
