"""The api mode as it runs: a real process, real connections, and a CLI that writes what no CLI should."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.settings import ROOT

pytestmark = pytest.mark.integration

API = ROOT / "image/rootfs/usr/local/lib/box/api.py"
RESULT = '{"type": "result", "result": "done", "is_error": false}'
# what the prompt names is what it writes
CLI = f"""#!{sys.executable}
import os, sys, time
prompt = sys.stdin.read()
out = sys.stdout.buffer
def line(text): out.write(text.encode() + b"\\n"); out.flush()
if prompt == "surrogate": line('{{"type": "text", "x": "\\\\ud800"}}')
if prompt == "surrogate result": line('{{"type": "result", "result": "\\\\ud800"}}')
if prompt == "deep": line('{{"type": "text", "x": ' + "[" * 50000 + "]" * 50000 + "}}")
if prompt == "deep result": line('{{"type": "result", "result": ' + "[" * 900 + "]" * 900 + "}}")
if prompt == "not a number": line('{{"type": "text", "x": NaN}}')
if prompt == "infinite result": line('{{"type": "result", "result": 1e999}}')
if prompt == "bytes": out.write(b"\\xff\\xfe\\x00\\n")
if prompt == "long":
    for _ in range(33): out.write(b"x" * (1 << 20))
    line("")
if prompt == "forged": line('{{"type": "x\\\\nevent: result\\\\ndata: {{}}", "a": "\\\\n\\\\nevent: x"}}')
if prompt == "no name": line('{{"type": {{"a": []}}}}')
if prompt == "hangs": time.sleep(600)
if prompt == "much":
    while True: line('{{"type": "text", "x": "' + "y" * 60000 + '"}}')
if prompt == "fails": sys.exit(3)
if prompt == "leaves": os.system("env -i setsid sleep 3608.5 >/dev/null 2>&1 &")
line({RESULT!r})
"""
ODD = ["surrogate", "surrogate result", "deep", "deep result", "not a number", "infinite result", "bytes",
       "long", "forged", "no name", "fails"]  # fmt: skip


class Service:
    """One that runs; ``port`` is where, ``log`` what it writes."""

    def __init__(self, place: Path, **environment: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.log = place / "log"
        cli = place / "claude"
        cli.write_text(CLI)
        cli.chmod(0o755)
        given = {
            "PATH": f"{place}:/usr/bin:/bin", "HOME": str(place), "CLAUDE_CONFIG_DIR": str(place),
            "CLAUDE_CODE_OAUTH_TOKEN": "stub-token", "BOX_API_PORT": str(self.port),
            "BOX_API_CONCURRENCY": "1", "BOX_API_TIMEOUT": "60", "BOX_LOG_LEVEL": "debug",
        }  # fmt: skip
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-I", str(API)],
                env=given | environment,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        self.until(lambda: self.get("/healthz")[0] == 200)

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; a minute at most."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                if holds():
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(self.log.read_text()[-2000:])

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        return self.ask("GET", path, b"", {})

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as made:
            made.request(method, path, body, headers)
            answer = made.getresponse()
            text = answer.read()
        return answer.status, json.loads(text)

    def prompt(self, prompt: str, **fields: Any) -> tuple[int, dict[str, Any]]:
        body = json.dumps({"prompt": prompt} | fields).encode()
        return self.ask("POST", "/v1/prompt", body, {"Content-Type": "application/json"})

    def stream(self, prompt: str, **fields: Any) -> bytes:
        """Return all that comes for a stream, as it is on the wire."""
        with self.opened(prompt, stream=True, **fields) as made:
            return b"".join(iter(lambda: made.recv(1 << 20), b""))

    def opened(self, prompt: str, **fields: Any) -> socket.socket:
        """Send a prompt and return the connection."""
        body = json.dumps({"prompt": prompt} | fields).encode()
        head = f"POST /v1/prompt HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        made = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        made.sendall(f"{head}Connection: close\r\nContent-Type: application/json\r\n\r\n".encode() + body)
        return made

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(each) for each in self.log.read_text().splitlines()]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with one place for prompts: nothing that these tests do to it may outlast them."""
    made = Service(tmp_path_factory.mktemp("service"))
    yield made
    made.process.terminate()
    assert made.process.wait(30) is not None
    assert not any("trace" in each for each in made.lines())


def test_no_event_of_the_cli_costs_a_place(service: Service) -> None:
    for prompt in ODD:
        status, said = service.prompt(prompt)
        assert (status, said["is_error"]) == ((502, True) if prompt == "fails" else (200, False)), prompt
        text = service.stream(prompt)
        assert text.startswith(b"HTTP/1.1 200"), prompt
        assert text.endswith(b"0\r\n\r\n"), prompt
        assert service.get("/readyz")[0] == 200
    assert service.prompt("ok")[1]["result"] == "done"


def test_nothing_that_a_prompt_leaves_behind_runs_on(service: Service) -> None:
    def left() -> list[str]:
        every = Path("/proc").glob("[0-9]*/cmdline")
        return [each.parent.name for each in every if each.read_bytes() == b"sleep\x003608.5\x00"]

    assert service.prompt("leaves")[0] == 200
    service.until(lambda: not left())
    assert service.prompt("ok")[0] == 200


def test_no_event_of_the_cli_makes_another(service: Service) -> None:
    names = [each for each in service.stream("forged").split(b"\n") if each.startswith(b"event:")]

    assert names == [b"event: message", b"event: result"]


@pytest.mark.parametrize("why", ["reads nothing", "goes away", "asks for less"])
def test_a_client_keeps_its_place_no_longer_than_its_time(service: Service, why: str) -> None:
    with service.opened("much" if why == "reads nothing" else "hangs", stream=True, timeout=1) as made:
        service.until(lambda: service.prompt("ok")[0] == 429)
        if why == "goes away":
            made.close()
        service.until(lambda: service.prompt("ok")[0] == 200)


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"prompt": "\\ud800"}', b'{"prompt": "x", "timeout": NaN}', b'{"prompt": 1e999}',
     b"\xff\xfe", b'{"prompt": "x", "timeout": 1' + b"0" * 5000 + b"}"],
)  # fmt: skip
def test_a_wrong_request_is_told_so(service: Service, body: bytes) -> None:
    status, said = service.ask("POST", "/v1/prompt", body, {"Content-Type": "application/json"})

    assert (status, said["is_error"]) == (400, True)


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}, JSON | {"Host": "rebound.example"}])
def test_a_web_page_is_not_answered(service: Service, headers: dict[str, str]) -> None:
    assert service.ask("POST", "/v1/prompt", b'{"prompt": "x"}', headers)[0] == 400


@pytest.mark.parametrize(
    "sent",
    [b"\0" * 100, b"GET / HTTP/1.1\r\n\r\n\r\nGET", b"POST /v1/prompt HTTP/1.1\r\nHost: \xff\r\n\r\n",
     b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n\0\0\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
     b"POST /v1/prompt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
)  # fmt: skip
def test_what_is_no_request_leaves_no_trace(service: Service, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as made:
        made.sendall(sent)
        made.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: made.recv(1 << 16), b""))

    assert b" 500 " not in answer
    assert service.get("/healthz")[0] == 200


def test_the_token_is_in_no_place_that_the_agent_can_read(tmp_path: Path) -> None:
    token = "stub-client-0123"
    kept = "sha256:" + hashlib.sha256(token.encode()).hexdigest()
    made = Service(tmp_path, BOX_API_TOKEN=kept)
    try:
        body, headers = b'{"prompt": "ok"}', {"Authorization": f"Bearer {token}"}
        assert made.ask("POST", "/v1/prompt", body, headers)[0] == 200
        assert made.ask("POST", "/v1/prompt", body, headers | {"Authorization": f"Bearer {kept}"})[0] == 401
        # root's since nobody else may look into it: its memory has held the token
        assert Path(f"/proc/{made.process.pid}/mem").stat().st_uid == 0
        environ = Path(f"/proc/{made.process.pid}/environ").read_bytes()
        assert token.encode() not in environ
    finally:
        made.process.terminate()
        made.process.wait(30)
