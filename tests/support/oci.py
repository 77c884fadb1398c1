"""A registry on the loopback: what the distribution API asks of one, with or without a login."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

LOGIN, TOKEN = base64.b64encode(b"somebody:stub-password").decode(), "stub-token"


@dataclass
class Registry:
    """What it holds; with ``guarded`` it gives a token to who logs in; ``asked`` are the requests."""

    port: int
    guarded: bool = False
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)  # by NAME:TAG and NAME@DIGEST
    asked: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    registry: Registry


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def answer(self, status: int, data: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_GET(self) -> None:
        registry, parts = self.server.registry, urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        registry.asked.append(f"{self.command} {parts.path}")
        query = {key: value[0] for key, value in parse_qs(parts.query).items()}
        if parts.path == "/token":
            fine = self.headers.get("Authorization") == f"Basic {LOGIN}"
            said = json.dumps({"token": TOKEN if fine and query["scope"] else ""}).encode()
            self.answer(200 if fine else 401, said)
        elif registry.guarded and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            realm = f'Bearer realm="http://{registry.host}/token",service="ours"'
            self.answer(401, WWW_Authenticate=realm)
        else:
            self.serve(registry, parts.path, query, body)

    def serve(self, registry: Registry, path: str, query: dict[str, str], body: bytes) -> None:
        name, _, rest = path.removeprefix("/v2/").partition("/manifests/")
        if rest:
            reference = f"{name}{'@' if rest.startswith('sha256:') else ':'}{rest}"
            if self.command == "PUT":
                digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
                registry.manifests |= {reference: body, f"{name}@{digest}": body}
                self.answer(201)
                return
            found = registry.manifests.get(reference)
        elif self.command == "POST":
            self.answer(202, Location=f"{path}some-id?state=1")
            return
        elif self.command == "PUT":
            fine = query["digest"] == f"sha256:{hashlib.sha256(body).hexdigest()}" and query["state"] == "1"
            registry.blobs |= {query["digest"]: body} if fine else {}
            self.answer(201 if fine else 400)
            return
        else:
            found = registry.blobs.get(path.rpartition("/")[2])
        self.answer(404 if found is None else 200, found or b"")

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(*, guarded: bool = False) -> Iterator[Registry]:
    """Run the registry."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.registry = Registry(server.server_port, guarded)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.registry
        server.shutdown()
