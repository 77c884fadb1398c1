"""How a pod ended is read from a watch; nothing is put on it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from boxproof.kube.client import Kube
from pytest_claims.faults import DeadlineExceeded, EnvironmentFault
from pytest_claims.recording import observations
from suites.entrypoint.pod_deletion import Deletion, deletion

POD: dict[str, Any] = {"metadata": {"name": "a", "namespace": "n", "resourceVersion": "7"}, "status": {}}
GOING: dict[str, Any] = {"deletionTimestamp": "2026-01-01T00:01:00Z", "deletionGracePeriodSeconds": 60}
FORCED: dict[str, Any] = {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 0}
PODS = {"resource": "pods", "responseKind": {"kind": "Pod"}, "scope": "Namespaced", "verbs": ["get"]}
GROUP = {"metadata": {"name": ""}, "versions": [{"version": "v1", "resources": [PODS]}]}


def ended(code: int) -> dict[str, Any]:
    """Return the status of a pod whose container ended four seconds after the deletion."""
    state = {"terminated": {"exitCode": code, "finishedAt": "2026-01-01T00:00:04Z"}}
    return {"containerStatuses": [{"name": "claude", "state": state}]}


def event(kind: str, status: dict[str, Any] | None = None, **meta: object) -> dict[str, Any]:
    """Return one event of a watch."""
    return {"type": kind, "object": {"metadata": POD["metadata"] | meta, "status": status or {}}}


class Server(BaseHTTPRequestHandler):
    """A pod, and a watch that tells its end only once it was deleted."""

    protocol_version = "HTTP/1.1"
    events: list[dict[str, Any]]
    asked: list[str]
    deleted: threading.Event

    def do_GET(self) -> None:
        """Answer by path."""
        if "watch=1" not in self.path:
            listed = {"items": [GROUP] if self.path.startswith("/api?") or self.path == "/api" else []}
            self.answer(POD if "/pods/" in self.path else {"kind": "APIGroupDiscoveryList"} | listed)
            return
        self.asked.append(self.path.partition("?")[2])
        self.send_response(200)
        self.end_headers()
        self.deleted.wait(30)
        for each in self.events:
            self.wfile.write(json.dumps(each).encode() + b"\n")
        self.close_connection = True

    def do_DELETE(self) -> None:
        """Delete."""
        self.asked.append(self.command)
        self.deleted.set()
        self.answer({})

    def do_PATCH(self) -> None:
        """Nothing is to be put on the pod."""
        self.asked.append(self.command)
        self.answer({})

    def answer(self, body: object) -> None:
        """Answer with JSON."""
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(directory: Path, *events: dict[str, Any]) -> Iterator[Kube]:
    """Give a client of a server with these events."""
    Server.events, Server.asked, Server.deleted = list(events), [], threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    named = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    }
    path = directory / "kubeconfig"
    path.write_text(yaml.safe_dump({"current-context": "x", "kind": "Config", "apiVersion": "v1"} | named))
    kube = Kube(str(path))
    yield kube
    kube.close()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "last", [event("MODIFIED", ended(143), **GOING), event("DELETED", ended(143), **FORCED)]
)
def test_the_last_state_is_read_from_a_watch_opened_before(tmp_path: Path, last: dict[str, Any]) -> None:
    running = {"containerStatuses": [{"name": "claude", "state": {"running": {}}}]}
    events = [event("MODIFIED", running), event("MODIFIED", running, **GOING), last]
    with serving(tmp_path, *events) as kube, observations.opened() as book:
        assert deletion(kube, "n", "a", "claude", timeout=60) == Deletion(143, 4)
    watch, *rest = Server.asked
    assert "resourceVersion=7" in watch
    assert "fieldSelector=metadata.name%3Da" in watch
    assert rest == ["DELETE"], "nothing is put on the pod"
    assert len(book.observations) == 1


def test_an_end_that_was_not_seen_is_no_answer(tmp_path: Path) -> None:
    with serving(tmp_path, event("DELETED", **FORCED)) as kube, pytest.raises(DeadlineExceeded, match="n/a"):
        deletion(kube, "n", "a", timeout=60)


def test_a_watch_that_the_server_gives_up_is_a_fault(tmp_path: Path) -> None:
    gone = {"type": "ERROR", "object": {"code": 410, "message": "too old"}}
    with serving(tmp_path, gone) as kube, pytest.raises(EnvironmentFault, match="too old"):
        deletion(kube, "n", "a", timeout=60)
