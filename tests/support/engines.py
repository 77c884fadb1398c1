"""A stand-in for an engine that answers, has no image, and whose registry has none either."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from boxproof.core.session import EngineInfo


class _Engine(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.endswith("/version"):
            self.answer(200, {"ApiVersion": "1.44", "Version": "25.0.0"})
        else:
            self.answer(404, {"message": "No such image"})

    def do_POST(self) -> None:
        self.answer(404, {"message": "manifest unknown"})

    def answer(self, status: int, body: dict[str, str]) -> None:
        """Send a status and a body."""
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def listening() -> Iterator[ThreadingHTTPServer]:
    """Give the stand-in's server, which is not served yet."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Engine) as server:
        yield server


@contextmanager
def without_images() -> Iterator[EngineInfo]:
    """Run the stand-in."""
    with listening() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        host = f"tcp://127.0.0.1:{server.server_port}"
        yield EngineInfo(way="user", host=host, version="25", client="docker")
        server.shutdown()
