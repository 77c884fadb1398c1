"""Engines that are no Docker Engine of root's: stubs that answer as those do, by the name that they give."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

import pytest

from boxproof.core.settings import Settings
from boxproof.host.engine import engine_choice
from pytest_claims.faults import EnvironmentFault
from tests.support.commands import boxproof

pytestmark = pytest.mark.integration

PODMAN: dict[str, Any] = {
    "version": {
        "Version": "4.9.3", "ApiVersion": "1.41", "MinAPIVersion": "1.24",
        "Components": [{"Name": "Podman Engine", "Version": "4.9.3"}, {"Name": "Conmon", "Version": "2.1"}],
    },
    "info": {"ServerVersion": "4.9.3", "Driver": "overlay", "SecurityOptions": ["name=rootless"]},
}  # fmt: skip
ROOTLESS: dict[str, Any] = {
    "version": {
        "Version": "27.5.1", "ApiVersion": "1.47", "MinAPIVersion": "1.24",
        "Components": [{"Name": "Engine", "Version": "27.5.1"}],
    },
    "info": {
        "ServerVersion": "27.5.1", "Driver": "overlay2", "DriverStatus": [],
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"],
    },
}  # fmt: skip


@contextmanager
def answering(path: Path, answers: dict[str, Any]) -> Iterator[str]:
    """Run a stub of an engine at a socket, which knows its version and its information alone."""

    class Stub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answers.get(self.path.partition("?")[0].rpartition("/")[2])
            data = json.dumps(found if found is not None else {"message": "not known to the stub"}).encode()
            self.send_response(200 if found is not None else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def address_string(self) -> str:
            return "a socket"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingUnixStreamServer(str(path), Stub) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"unix://{path}"
        server.shutdown()


def surveyed(host: str, below: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of ``doctor`` for an engine, by their names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", host)
        done = boxproof("doctor", "--json", state=below / "state")
    return {each["name"]: each for each in json.loads(done.out)["needs"]}


def test_podmans_socket_is_said_to_be_none_of_docker(tmp_path: Path) -> None:
    with answering(tmp_path / "podman.sock", PODMAN) as host:
        row = surveyed(host, tmp_path)["kind of engine"]
    assert row["found"] == "Podman"
    assert "no Docker Engine" in row["missing"]
    assert "BOXPROOF_ENGINE=embedded" in row["mend"]


def test_a_run_is_not_begun_on_podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(tmp_path / "podman.sock", PODMAN) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        with pytest.raises(EnvironmentFault, match="Podman answers") as caught:
            engine_choice.ensure(Settings(state=tmp_path / "state"))
    assert "BOXPROOF_ENGINE=embedded" in caught.value.hint


def test_a_rootless_engine_is_said_to_be_out_of_reach(tmp_path: Path) -> None:
    with answering(tmp_path / "docker.sock", ROOTLESS) as host:
        row = surveyed(host, tmp_path)["kind of engine"]
    assert "rootless" in row["missing"]
    assert "Docker Engine of root's" in row["mend"]
