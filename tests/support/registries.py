"""A stand-in for a Go module proxy, an npm registry and a Python package index, on the loopback.

It serves one module, one package and one wheel of its own, or misbehaves as ``mode`` says.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import socket
import struct
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

MODULE, VERSION = "stand-in.invalid/Tool", "v1.2.3"
ESCAPED = "stand-in.invalid/!tool"
PACKAGE, WHEEL = "boxproof-stand-in", "boxproof_stand_in"
NUMBER = "1.2.3"
PROGRAM, CARRIED = "stand-in", "carried"  # the program that the wheel brings, and its content
SERVED, RESET, HANG, REPLACED = "served", "reset", "hang", "replaced"


@dataclass
class Registries:
    """A running stand-in; ``mode`` is "served", a status such as "404", "reset", "hang" or "replaced".

    ``only`` limits it to paths that hold this text; ``asked`` are the paths asked for.
    """

    address: str
    mode: str = SERVED
    only: str = ""
    recovers_after: int = -1  # how often it misbehaves; -1 for always
    asked: list[str] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def misbehaving(self, path: str) -> str:
        """Return the mode that counts for a request of ``path``."""
        self.asked.append(path)
        if self.only not in path or self.recovers_after == 0:
            return SERVED
        if self.mode != SERVED and self.recovers_after > 0:
            self.recovers_after -= 1
        return self.mode


def go_module(content: str) -> dict[str, bytes]:
    """Return the files of the module by their path at a proxy."""
    mod = f"module {MODULE}\n\ngo 1.20\n".encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in go_files(content).items():
            archive.writestr(name, data)
    below = f"/{ESCAPED}/@v/{VERSION}"
    info = json.dumps({"Version": VERSION, "Time": "2026-01-01T00:00:00Z"}).encode()
    return {f"{below}.info": info, f"{below}.mod": mod, f"{below}.zip": packed.getvalue()}


def go_files(content: str = "") -> dict[str, bytes]:
    """Return what the module's zip holds."""
    source = f'package main\n\nfunc main() {{ println("{content or "a stand-in"}") }}\n'
    files = {"go.mod": f"module {MODULE}\n\ngo 1.20\n", "main.go": source}
    return {f"{MODULE}@{VERSION}/{name}": text.encode() for name, text in files.items()}


def go_directory(directory: Path) -> Path:
    """Write a module of ours that requires the stand-in's one, pinned as ``go mod tidy`` does it."""
    directory.mkdir(parents=True)
    (directory / "go.mod").write_text(f"module ours.invalid/x\n\ngo 1.20\n\nrequire {MODULE} {VERSION}\n")
    mod = f"module {MODULE}\n\ngo 1.20\n".encode()
    sums = [f"{MODULE} {VERSION} {_h1(go_files())}", f"{MODULE} {VERSION}/go.mod {_h1({'go.mod': mod})}"]
    (directory / "go.sum").write_text("\n".join(sums) + "\n")
    return directory


def _h1(files: Mapping[str, bytes]) -> str:
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())]
    return "h1:" + base64.b64encode(hashlib.sha256("".join(lines).encode()).digest()).decode()


def tarball(content: str = "") -> bytes:
    """Return the npm package."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        manifest = json.dumps({"name": PACKAGE, "version": NUMBER}).encode()
        for name, data in {"package.json": manifest, "program": (content or "a stand-in").encode()}.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def integrity(data: bytes) -> str:
    """Return what a lock file of npm says of a tarball."""
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def wheel(content: str = "") -> bytes:
    """Return the wheel."""
    packed = io.BytesIO()
    info = f"{WHEEL}-{NUMBER}.dist-info"
    files = {
        f"{WHEEL}/bin/go": content or "a stand-in",
        f"{WHEEL}-{NUMBER}.data/scripts/{PROGRAM}": content or CARRIED,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {NUMBER}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: stand-in\nRoot-Is-Purelib: true\nTag: py3-none-any",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return packed.getvalue()


def requirements(path: Path) -> Path:
    """Write the wheel's pin, as a file of toolchains/ has it."""
    path.write_text(
        f"{PACKAGE}=={NUMBER} \\\n    --hash=sha256:{hashlib.sha256(WHEELS[SERVED]).hexdigest()}\n"
    )
    return path


TARBALLS = {SERVED: tarball(), REPLACED: tarball("another")}
WHEELS = {SERVED: wheel(), REPLACED: wheel("another")}


def content(path: str, mode: str, address: str) -> tuple[str, bytes] | None:
    """Return the type and the content of what is served at a path, None for nothing."""
    kind = REPLACED if mode == REPLACED else SERVED
    go = go_module("another" if mode == REPLACED else "")
    if path.removeprefix("/go") in go:
        return "application/octet-stream", go[path.removeprefix("/go")]
    if path == f"/npm/{PACKAGE}":
        file = f"{address}/npm/{PACKAGE}/-/{PACKAGE}-{NUMBER}.tgz"
        dist = {"tarball": file, "integrity": integrity(TARBALLS[kind])}
        version = {"name": PACKAGE, "version": NUMBER, "dist": dist}
        tags = {"latest": NUMBER}
        told = {"name": PACKAGE, "dist-tags": tags, "versions": {NUMBER: version}}
        return "application/json", json.dumps(told).encode()
    if path.startswith(f"/npm/{PACKAGE}/-/"):
        return "application/octet-stream", TARBALLS[kind]
    file = f"{WHEEL}-{NUMBER}-py3-none-any.whl"
    if path == f"/pypi/{PACKAGE}/":
        return "text/html", f'<!DOCTYPE html><html><body><a href="{file}">{file}</a></body></html>'.encode()
    if path == f"/pypi/{PACKAGE}/{file}":
        return "application/octet-stream", WHEELS[kind]
    return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    registries: Registries


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        registries = self.server.registries
        path = unquote(self.path)
        mode = registries.misbehaving(path)
        if mode == HANG:
            registries.closing.wait()
            self.close_connection = True
            return
        if mode == RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        found = content(path, mode, registries.address)
        status = int(mode) if mode.isdigit() else 200 if found else 404
        kind, data = found if found and status == 200 else ("text/plain", b"not here\n")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def finish(self) -> None:
        """Close what a reset has closed already without a word."""
        try:
            super().finish()
        except (OSError, ValueError):
            self.close_connection = True


@contextmanager
def serving() -> Iterator[Registries]:
    """Run the stand-in."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        registries = Registries(f"http://127.0.0.1:{server.server_port}")
        server.registries = registries
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield registries
        registries.closing.set()
        server.shutdown()
