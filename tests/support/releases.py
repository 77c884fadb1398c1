"""An archive server on the loopback that has what a list of tools pins, under its own names and sums."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from boxproof.subject.image.tools import Tool

UNREACHED = "http://127.0.0.1:1"  # where the others' servers are taken to be


@dataclass
class Releases:
    """What is served, by path; ``asked`` are the paths that were fetched."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def listing(self, text: str, tools: Sequence[Tool]) -> str:
        """Return a list of tools whose pinned releases are ours: the same paths, our own sums."""
        for each in tools:
            if not each.release or not each.release.sha256:
                continue
            path = urlsplit(each.release.url.replace("{version}", each.version)).path
            self.files[path] = archive(each.release.file, f"the released {each.name}".encode())
            text = text.replace(each.release.sha256, hashlib.sha256(self.files[path]).hexdigest())
        return re.sub(r'(?<=release = \{ url = ")https://[^/"]+', self.address, text)


def archive(member: str, content: bytes) -> bytes:
    """Return the program itself, or an archive that has it as ``member``."""
    if not member:
        return content
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as opened:
        entry = tarfile.TarInfo(member)
        entry.size = len(content)
        opened.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    releases: Releases


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self.server.releases.asked.append(self.path)
        self._answer(self.server.releases.files.get(self.path, b"not here\n"))

    def _answer(self, data: bytes) -> None:
        self.send_response(200 if self.path in self.server.releases.files else 404)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[Releases]:
    """Run the server."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.releases = Releases(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.releases
        server.shutdown()
