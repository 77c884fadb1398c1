"""The probe image where there are no packages of the distribution: a base that is not served blocks."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from boxproof.errors import EnvironmentFault, ExitCode
from boxproof.probes import image
from boxproof.session import EngineInfo
from boxproof.settings import Settings


class Engine(BaseHTTPRequestHandler):
    """An engine that has no image, and whose registry does not have one either."""

    def do_GET(self) -> None:
        if self.path.endswith("/version"):
            self.answer(200, {"ApiVersion": "1.44", "Version": "25.0.0"})
        else:
            self.answer(404, {"message": "No such image"})

    def do_POST(self) -> None:
        self.answer(404, {"message": "manifest unknown"})

    def answer(self, status: int, body: dict[str, str]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def engine() -> Iterator[EngineInfo]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Engine) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        host = f"tcp://127.0.0.1:{server.server_port}"
        yield EngineInfo(way="user", host=host, version="25", client="docker")
        server.shutdown()


def test_a_published_base_that_vanished_blocks(
    tmp_path: Path, engine: EngineInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(EnvironmentFault, match=r"cannot make the probe image: .*manifest unknown") as raised:
        image.ensure(Settings(cache=tmp_path), engine)
    assert raised.value.exit_code is ExitCode.BLOCKED
