"""What an exec says comes whole, whenever the engine sends it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

import docker

from boxproof.host.engine import engine_client
from boxproof.host.engine.engine_client import HEADER

OUT, ERR = 1, 2
Frames = Sequence[tuple[int, bytes]]
Connect = Callable[..., docker.DockerClient]


@contextmanager
def engine(place: Path, with_the_header: Frames, later: Frames, silent: float = 0.0) -> Iterator[str]:
    """Run a stub of an engine with one container, which sends the first frames together with the header."""

    class Stub(BaseHTTPRequestHandler):
        wbufsize = -1  # what is written is sent at a flush
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer({"Id": "box", "ID": "one", "ExitCode": 3, "State": {}, "ApiVersion": "1.44"})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path.endswith("/exec"):
                self.answer({"Id": "one"})
                return
            upgraded = "Upgrade" in self.headers
            self.send_response(101 if upgraded else 200, "UPGRADED" if upgraded else "OK")
            self.send_header("Content-Type", "application/vnd.docker.raw-stream")
            self.end_headers()
            self.frames(with_the_header)
            time.sleep(silent)
            self.frames(later)
            self.close_connection = True

        def frames(self, every: Frames) -> None:
            for number, text in every:
                self.wfile.write(HEADER.pack(number, len(text)) + text)
            self.wfile.flush()

        def answer(self, found: dict[str, Any]) -> None:
            data = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def address_string(self) -> str:
            return "a socket"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingUnixStreamServer(str(place / "stub.sock"), Stub) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"unix://{place / 'stub.sock'}"
        server.shutdown()


def ran(connect: Connect, host: str, **options: Any) -> tuple[int, Any]:
    """Return exit code and output of an exec in the stub's container."""
    client = connect(host)
    try:
        code, said = client.containers.get("box").exec_run(["any"], **options)
        return code, said
    finally:
        client.close()


def ours(host: str) -> docker.DockerClient:
    return engine_client.connect(host, timeout=0.3)


def of_the_sdk(host: str) -> docker.DockerClient:
    return docker.DockerClient(base_url=host, timeout=5)


def test_what_comes_with_the_header_of_the_answer_is_not_lost(tmp_path: Path) -> None:
    with engine(tmp_path, [(OUT, b"first\n"), (ERR, b"said\n")], [(OUT, b"last\n")], silent=0.2) as host:
        assert ran(of_the_sdk, host) == (3, b"last\n"), "if the SDK mends this, its own way is good again"
        assert ran(ours, host) == (3, b"first\nsaid\nlast\n")
        assert ran(ours, host, demux=True) == (3, (b"first\nlast\n", b"said\n"))


def test_an_exec_may_be_silent_for_longer_than_an_answer_may_take(tmp_path: Path) -> None:
    with engine(tmp_path, [], [(OUT, b"late")], silent=1.0) as host:
        assert ran(ours, host) == (3, b"late")


def test_an_exec_that_says_nothing(tmp_path: Path) -> None:
    with engine(tmp_path, [], []) as host:
        assert ran(ours, host) == (3, b"")
        assert ran(ours, host, demux=True) == (3, (None, None))
