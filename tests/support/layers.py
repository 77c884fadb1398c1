"""Layers as Docker's stores keep them, made without an engine."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

FILES = {"etc/short": b"x", "etc/long": b"0123456789" * 250_000, "etc/empty": b"", f"{'d' * 120}/ü": b"name"}


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """Return a tar of files, with headers of extended names."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return sink.getvalue()


def record_of(tar: bytes) -> bytes:
    """Return the gzipped record of a tar: what is no file's content as it stands, and the names of files."""
    lines, at = [], 0

    def segment(end: int) -> None:
        lines.append({"type": 2, "payload": base64.b64encode(tar[at:end]).decode()})

    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        for member in archive:
            segment(member.offset_data)
            lines.append({"type": 1, "name": member.name, "size": member.size, "payload": "AAAAAAAAAAA="})
            at = member.offset_data + member.size
    segment(len(tar))
    return gzip.compress("".join(json.dumps(each) + "\n" for each in lines).encode())


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def classic(root: Path, layers: Sequence[Mapping[str, bytes]]) -> str:
    """Write an image of ``layers`` into the data directory ``root`` as overlay2 keeps it; returns its id."""
    tars = [tar_of(each) for each in layers]
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": [digest(each) for each in tars]}}).encode()
    chain = ""
    for number, (files, tar) in enumerate(zip(layers, tars, strict=True)):
        chain = digest(f"{chain} {digest(tar)}".encode()) if chain else digest(tar)
        _write(root / "image/overlay2/layerdb" / chain.replace(":", "/") / "cache-id", f"id{number}".encode())
        record = root / "image/overlay2/layerdb" / chain.replace(":", "/") / "tar-split.json.gz"
        _write(record, record_of(tar))
        for name, data in files.items():
            _write(root / f"overlay2/id{number}/diff" / name, data)
    _write(root / "image/overlay2/imagedb/content" / digest(config).replace(":", "/"), config)
    return digest(config)


def containerd(root: Path, layers: Sequence[Mapping[str, bytes]]) -> tuple[str, str]:
    """Write an image into ``root`` as containerd keeps it; returns the ids of its index and its config."""
    tars = [gzip.compress(tar_of(each)) for each in layers]
    described = [{"digest": digest(each), "size": len(each)} for each in tars]
    config = json.dumps({"rootfs": {}}).encode()
    manifest = json.dumps({"config": {"digest": digest(config)}, "layers": described}).encode()
    listed = [
        {"digest": digest(b"other"), "platform": {"os": "linux", "architecture": "arm64"}},
        {"digest": digest(manifest), "platform": {"os": "linux", "architecture": "amd64"}},
    ]
    index = json.dumps({"manifests": listed}).encode()
    for each in (*tars, config, manifest, index):
        place = (
            root / "containerd/daemon/io.containerd.content.v1.content/blobs" / digest(each).replace(":", "/")
        )
        _write(place, each)
    return digest(index), digest(config)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
