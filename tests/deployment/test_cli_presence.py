"""Claims about a CLI that the image does not have where it is said to be."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from boxproof.core.session import EngineInfo, ImageInfo, Session
from boxproof.deployment import cluster_requirements
from pytest_claims.faults import Unprovable

ABOUT_IT = frozenset({"claude-code"})


class Engine(BaseHTTPRequestHandler):
    """A stub of an engine: it makes one container, which has no file at all."""

    def do_GET(self) -> None:
        version = {"ApiVersion": "1.44", "Version": "25.0.0"}
        known = {"version": version, "json": {"Id": "one", "State": {}, "Config": {}}}
        found = known.get(self.path.partition("?")[0].rpartition("/")[2])
        self.answer(200 if found else 404, found or {"message": "no such file"})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(201, {"Id": "one", "Warnings": []})

    def do_DELETE(self) -> None:
        self.answer(204, {})

    def answer(self, status: int, body: object) -> None:
        """Send a status and a body."""
        data = b"" if status == 204 else json.dumps(body).encode()
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
        yield EngineInfo(
            way="user", host=f"tcp://127.0.0.1:{server.server_port}", version="25", client="docker"
        )
        server.shutdown()


def about(directory: Path, engine: EngineInfo, *profiles: str) -> Session:
    """Return the session of a subject with these profiles, whose image the engine has."""
    (directory / "subject.toml").write_text(f'name = "x"\nprofiles = {json.dumps(profiles)}\n')
    image = ImageInfo(reference="x:1", config_digest="sha256:1", nonce="n", base="")
    told = str(directory)
    return Session(run="r", directory=told, subject=told, cache=told, state=told, engine=engine, image=image)


def test_a_claim_about_a_cli_that_is_not_there_is_unproven(tmp_path: Path, engine: EngineInfo) -> None:
    with pytest.raises(Unprovable, match="says where its CLI is"):
        cluster_requirements.demand_cli(about(tmp_path, engine, "claude-code"), ABOUT_IT)


def test_other_claims_do_not_ask_for_it(tmp_path: Path, engine: EngineInfo) -> None:
    cluster_requirements.demand_cli(about(tmp_path, engine, "claude-code"), frozenset({"workload"}))


def test_of_a_box_of_our_own_start_the_check_itself_says_what_is_wrong(
    tmp_path: Path, engine: EngineInfo
) -> None:
    cluster_requirements.demand_cli(about(tmp_path, engine, "claude-code", "box"), ABOUT_IT)
