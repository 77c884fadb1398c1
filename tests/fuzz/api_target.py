"""The api mode as a process: any bytes as a request, any words of a CLI; it answers, and no place is lost."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.box_modules import LIBRARY

CLI = "#!/bin/sh\nexec base64 -d\n"  # what the prompt encodes is what it says
WITHIN = 30.0  # seconds an answer takes at most, on a busy machine too
ALLOWED = frozenset({"100", "200", "400", "404", "405", "408", "413", "429"})
PLACES = 4


class Lost(AssertionError):
    """The service answered with an error of its own, or did not."""


class Service:
    """One that runs until ``close``."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="boxproof-fuzz-"))
        (self.home / "claude").write_text(CLI)
        (self.home / "claude").chmod(0o755)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        environment = {
            "PATH": f"{self.home}:/usr/bin:/bin", "HOME": str(self.home),
            "CLAUDE_CODE_OAUTH_TOKEN": "stub-token",
            "BOX_API_PORT": str(self.port), "BOX_API_CONCURRENCY": str(PLACES), "BOX_API_TIMEOUT": "20",
        }  # fmt: skip
        with (self.home / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-I", str(LIBRARY / "api.py")], env=environment, stderr=log
            )
        while b'"serving"' not in (self.home / "log").read_bytes():
            if self.process.poll() is not None:
                raise Lost((self.home / "log").read_text())

    def send(self, data: bytes) -> bytes:
        """Return what comes for some bytes, of which no more will come."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=WITHIN) as made:
            try:
                made.sendall(data)
                made.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: made.recv(1 << 16), b""))
            except ConnectionError:
                return b""

    def prompt(self, body: bytes) -> bytes:
        """Return what comes for the body of a prompt."""
        head = b"POST /v1/prompt HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        made = b"%sConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (head, len(body), body)
        with socket.create_connection(("127.0.0.1", self.port), timeout=WITHIN) as opened:
            opened.sendall(made)
            return b"".join(iter(lambda: opened.recv(1 << 16), b""))

    def close(self) -> str:
        """End it and return its log."""
        self.process.terminate()
        self.process.wait(WITHIN)
        return (self.home / "log").read_text()

    def whole(self) -> None:
        """Raise Lost unless every place is free, and the log has no trace of an error."""
        good = base64.b64encode(b'{"type": "result", "result": "done"}').decode()
        answer = self.prompt(json.dumps({"prompt": good}).encode())
        metrics = self.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        if b" 200 " not in answer or b"box_prompts_running 0" not in metrics:
            raise Lost(f"a place is lost: {answer!r} {metrics[-300:]!r}")
        if '"trace"' in (log := (self.home / "log").read_text()):
            raise Lost(log[-2000:])


def statuses(answer: bytes) -> list[str]:
    """Return the statuses of the answers on a connection."""
    return [each[:3].decode("latin-1") for each in answer.split(b"HTTP/1.1 ")[1:]]


def raw(service: Service, data: bytes) -> None:
    """Whatever comes is answered with what it is: no error of the service's own."""
    if not set(statuses(service.send(data))) <= ALLOWED | {"502"}:
        raise Lost(str(statuses(service.send(data))))


def body(service: Service, data: bytes) -> None:
    """Whatever the body of a prompt, it is one or wrong; the stand-in may fail on what is no base64."""
    found = statuses(service.prompt(data))
    if found[:1] not in (["200"], ["400"], ["502"], ["504"], ["413"]):
        raise Lost(str(found))


def said(service: Service, data: bytes) -> None:
    """Whatever the CLI says, whole and streamed, there is an answer."""
    prompt = base64.b64encode(data or b"\n").decode()
    for stream in (False, True):
        answer = service.prompt(json.dumps({"prompt": prompt, "stream": stream}).encode())
        if statuses(answer)[:1] not in (["200"], ["502"]):
            raise Lost(repr(answer[:300]))
        if stream and not answer.endswith(b"0\r\n\r\n"):
            raise Lost(f"the stream does not end: {answer[-100:]!r}")
