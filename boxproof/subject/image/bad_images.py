"""Images that are wrong on purpose: controls for checks that read an image's configuration or layers."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any

from docker.errors import APIError, DockerException

from boxproof.core.session import RUN_LABEL
from pytest_claims.faults import EnvironmentFault

Layer = Mapping[str, bytes | int]  # path -> content, or that many zero bytes


def archive(files: Mapping[str, tuple[bytes | None, int] | tuple[bytes | None, int, int]]) -> bytes:
    """Return a tar of ``files``: path -> (content, mode), and the uid of the owner where that is not root.

    What has no content is a directory.
    """
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, (content, mode, *owner) in files.items():
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.type = tarfile.REGTYPE if content is not None else tarfile.DIRTYPE
            entry.size, entry.mode, entry.uid = len(content or b""), mode, owner[0] if owner else 0
            tar.addfile(entry, io.BytesIO(content or b""))
    return made.getvalue()


@contextmanager
def configured(docker: Any, instructions: Sequence[str], *, run: str) -> Iterator[str]:
    """Give the id of an image with one small file and ``instructions`` (Dockerfile lines), then remove it.

    The engine reads the instructions as it does in a Dockerfile. Raises EnvironmentFault if it cannot.
    """
    data = archive({"doctored": (b"on purpose\n", 0o644)})
    changes = [*instructions, f"LABEL {RUN_LABEL}={run}"]
    try:
        answer = str(docker.api.import_image_from_data(data, changes=changes))
    except DockerException as error:
        raise EnvironmentFault(f"cannot make a doctored image: {error}") from error
    _, found, digest = answer.rpartition("sha256:")
    if not found:
        raise EnvironmentFault(f"no image id in the engine's answer: {answer!r}")
    with _removed(docker, f"sha256:{digest[:64]}") as reference:
        yield reference


@contextmanager
def layered(docker: Any, layers: Sequence[Layer], *, run: str) -> Iterator[str]:
    """Give the id of an image of exactly these layers, then remove it; raises EnvironmentFault."""
    with tempfile.TemporaryFile() as whole:
        reference = _saved_image(whole, layers, run)
        whole.seek(0)
        try:
            for line in docker.api.load_image(whole, quiet=True):
                if "error" in line:
                    raise EnvironmentFault(f"cannot load a doctored image: {line['error']}")
        except DockerException as error:
            raise EnvironmentFault(f"cannot load a doctored image: {error}") from error
    with _removed(docker, reference):
        yield reference


def config_of(docker: Any, reference: str) -> dict[str, Any]:
    """Return an image's ``.Config``; raises EnvironmentFault if the engine cannot tell."""
    try:
        return dict(docker.api.inspect_image(reference)["Config"])
    except DockerException as error:
        raise EnvironmentFault(f"cannot inspect {reference}: {error}") from error


@contextmanager
def _removed(docker: Any, reference: str) -> Iterator[str]:
    try:
        yield reference
    finally:
        try:
            docker.api.remove_image(reference, force=True)
        except APIError as error:
            if error.status_code != 404:
                raise EnvironmentFault(f"cannot remove {reference}: {error}") from error


def _saved_image(whole: IO[bytes], layers: Sequence[Layer], run: str) -> str:
    """Write what ``docker save`` would, and return the name the image gets."""
    name = f"boxproof-doctored:{secrets.token_hex(8)}"
    with tarfile.open(fileobj=whole, mode="w") as outer:
        digests = []
        for number, layer in enumerate(layers):
            with tempfile.TemporaryFile() as one:
                digests.append(_layer(one, layer))
                _add(outer, f"{number}/layer.tar", one)
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": {RUN_LABEL: run}},
            "rootfs": {"type": "layers", "diff_ids": digests},
        }
        _add(outer, "config.json", io.BytesIO(json.dumps(config).encode()))
        parts = [f"{number}/layer.tar" for number in range(len(layers))]
        manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": parts}]
        _add(outer, "manifest.json", io.BytesIO(json.dumps(manifest).encode()))
    return name


def _layer(into: IO[bytes], layer: Layer) -> str:
    with tarfile.open(fileobj=into, mode="w") as tar:
        for path, content in layer.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.mode = 0o644
            if isinstance(content, int):
                entry.size = content
                with tempfile.TemporaryFile() as zeros:  # a hole: it costs no memory and no disk
                    zeros.truncate(content)
                    tar.addfile(entry, zeros)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    into.seek(0)
    digest = hashlib.file_digest(into, "sha256").hexdigest()  # type: ignore[arg-type]
    return f"sha256:{digest}"


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes]) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = content.seek(0, io.SEEK_END)
    content.seek(0)
    tar.addfile(entry, content)
