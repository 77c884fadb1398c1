#!/usr/bin/python3
"""A stub of the Anthropic API: Messages and the token endpoint over TLS, and a control side in the clear.

Only what the real command line program was seen to ask for is there; all else is 404, and recorded.
"""

from __future__ import annotations

import json
import signal
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer, ThreadingMixIn, UnixStreamServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from boxproof.stubs.server import repositories
from boxproof.stubs.server.shapes import REASONS, Json, error, events, message, prompt, reply, skills

DIRECTORY = "/etc/boxproof-stub"
TLS_PORT = 443
CONTROL_PORT = 8081
LIFETIME = 8 * 3600  # seconds a token given out is said to last
GIT = "/git/"
MODES = ("ok", "401", "slow", "refresh")
MESSAGES = "/v1/messages"
HELLO = (("HEAD", "/"), ("GET", "/api/hello"), ("GET", "/v1/oauth/hello"))


class State:
    """What was received and how each token is answered; one lock for all of it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.received: list[Json] = []
        self.behaviour: dict[str, Json] = {}  # by token family; "" is everyone else's
        self.given: dict[str, int] = {}  # refreshes per token family

    def behave(self, token: str) -> Json:
        with self.lock:
            return self.behaviour.get(family(token)) or self.behaviour.get("") or {"mode": "ok"}

    def record(self, entry: Json) -> None:
        with self.lock:
            self.received.append(entry)

    def renew(self, name: str) -> tuple[str, str]:
        with self.lock:
            self.given[name] = self.given.get(name, 0) + 1
            return f"{name}.{self.given[name]}", f"{name}.refresh.{self.given[name]}"

    def renewed(self, token: str) -> bool:
        return family(token) != token

    def reset(self, token: str) -> None:
        with self.lock:
            if token:
                name = family(token)
                self.received = [each for each in self.received if owner(each) != name]
                self.behaviour.pop(name, None)
                self.given.pop(name, None)
            else:
                self.received, self.behaviour, self.given = [], {}, {}

    def of(self, token: str) -> list[Json]:
        with self.lock:
            return [each for each in self.received if not token or owner(each) == family(token)]

    def answered(self, token: str) -> int:
        return sum(each["path"] == MESSAGES and each["status"] == 200 for each in self.of(token))


STATE = State()
REPOSITORIES = repositories.Repositories()


def family(token: str) -> str:
    """Return the token that a token or refresh token descends from: "stub-token-a" of "stub-token-a.2"."""
    return token.partition(".")[0]


def owner(entry: Json) -> str:
    """Return the token family a recorded request belongs to."""
    return family(entry["token"] or entry["refresh_token"])


class Handler(BaseHTTPRequestHandler):
    """What both sides share."""

    protocol_version = "HTTP/1.1"
    timeout = 120

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class calls it so)
        pass

    def body(self) -> Json:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            data = json.loads(raw or b"{}")
        except ValueError:
            data = {key: values[0] for key, values in parse_qs(raw.decode(errors="replace")).items()}
        return data if isinstance(data, dict) else {}

    def answer(self, status: int, data: Json) -> int:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("request-id", f"req_stub_{time.time_ns()}")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return status


class Api(Handler):
    """The side the box talks to."""

    def handle_any(self) -> None:
        if self.path.startswith(repositories.OWNER):
            return self.forge()
        body = self.body() if self.command in ("POST", "PUT", "PATCH") else {}
        path = urlsplit(self.path).path
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ").strip()
        entry: Json = {
            "at": time.time(), "method": self.command, "path": path, "source": self.client_address[0],
            "host": (self.headers.get("Host") or "").partition(":")[0],
            "token": token or self.headers.get("x-api-key") or "", "prompt": prompt(body),
            "refresh_token": str(body.get("refresh_token", "")), "status": 0, "skills": skills(body),
            "model": str(body.get("model", "")),
        }  # fmt: skip
        STATE.record(entry)
        try:
            entry["status"] = self.dispatch(path, body, entry["token"])
        except OSError:  # the other end went away: status stays 0
            self.close_connection = True
        return None

    def forge(self) -> None:
        """Answer as the host of private repositories."""
        parts = urlsplit(self.path)
        try:
            repositories.serve(self, REPOSITORIES, parts.path, parts.query)
        except OSError:
            self.close_connection = True

    do_GET = do_POST = do_HEAD = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

    def dispatch(self, path: str, body: Json, token: str) -> int:
        if path == "/v1/oauth/token" and self.command == "POST":
            return self.oauth(body)
        if path == MESSAGES and self.command == "POST":
            return self.messages(body, token)
        if (self.command, path) in HELLO:  # the program looks whether there is a way
            return self.answer(200, {})
        return self.answer(404, error("not_found_error", f"the stub has no {path}"))

    def oauth(self, body: Json) -> int:
        given = str(body.get("refresh_token") or "")
        how = STATE.behave(given)
        if body.get("grant_type") != "refresh_token" or not given or how["mode"] == "401":
            return self.answer(400, {"error": "invalid_grant", "error_description": "refused by the stub"})
        access, refresh = STATE.renew(family(given))
        scope = str(body.get("scope") or "user:inference user:profile")
        return self.answer(
            200,
            {
                "token_type": "Bearer", "access_token": access, "refresh_token": refresh,
                "expires_in": int(how.get("expires_in", LIFETIME)), "scope": scope,
            },
        )  # fmt: skip

    def messages(self, body: Json, token: str) -> int:
        how = STATE.behave(token)
        if STATE.answered(token) < int(how.get("after", 0)):  # its mode has not come yet
            how = {**how, "mode": "ok"}
        refused = how["mode"] == "401" or (how["mode"] == "refresh" and not STATE.renewed(token))
        if refused or not token:
            return self.answer(401, error("authentication_error", "refused by the stub"))
        if how["mode"] == "slow":
            time.sleep(float(how.get("seconds", 30)))
        block = reply(body, how)
        if not body.get("stream"):
            return self.answer(200, message(body, [block], REASONS[block["type"]]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Connection", "close")
        self.end_headers()
        for name, data in events(body, block):
            self.wfile.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())
            self.wfile.flush()
        self.close_connection = True
        return 200


class Control(Handler):
    """The side checks talk to."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path.startswith(GIT):
            self.repository(parts.path.removeprefix(GIT), {})
            return
        if parts.path != "/requests":
            self.answer(404, {"error": f"GET /requests, POST /behaviour, POST /reset, {GIT}…"})
            return
        token = parse_qs(parts.query).get("token", [""])[0]
        self.answer(200, {"requests": STATE.of(token)})

    def do_POST(self) -> None:
        body = self.body()
        if self.path.startswith(GIT):
            self.repository(self.path.removeprefix(GIT), body)
            return
        token = str(body.pop("token", "") or "")
        if self.path == "/reset":
            STATE.reset(token)
            self.answer(200, {})
        elif self.path == "/behaviour" and body.get("mode") in MODES:
            with STATE.lock:
                STATE.behaviour[family(token)] = body
            self.answer(200, {})
        else:
            self.answer(400, {"error": f"modes: {', '.join(MODES)}"})

    def repository(self, what: str, body: Json) -> None:
        """Do something with a repository (POST), or tell what one was asked for (GET)."""
        try:
            if self.command == "POST":
                self.answer(200, REPOSITORIES.control(what, body))
            else:
                self.answer(200, {"requests": REPOSITORIES.received(what)})
        except (KeyError, ValueError, OSError) as error:
            self.answer(400, {"error": repr(error)})


class Server(ThreadingHTTPServer):
    """A server whose TLS handshakes do not hold up the next connection."""

    daemon_threads = True
    request_queue_size = 128
    context: ssl.SSLContext | None = None

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        if self.context is None:
            return connection, address
        wrapped = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return wrapped, address

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.context is not None:
            request.settimeout(30)
            request.do_handshake()
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        print(f"{client_address[0]}: {sys.exc_info()[1]!r}", flush=True)


class ControlSocket(ThreadingMixIn, UnixStreamServer):
    """The control side at a path, for those in another network."""

    daemon_threads = True
    request_queue_size = 128


def main(
    directory: str = DIRECTORY,
    tls_port: int = TLS_PORT,
    control_port: int = CONTROL_PORT,
    control_path: str = "",
) -> None:
    """Serve both sides until TERM; with ``control_path`` the control side is a Unix socket there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{directory}/tls.crt", f"{directory}/tls.key")
    api = Server(("0.0.0.0", tls_port), Api)
    api.context = context
    control: BaseServer
    if control_path:
        control = ControlSocket(control_path, Control)
    else:
        control = Server(("0.0.0.0", control_port), Control)
    for each in (api, control):
        threading.Thread(target=each.serve_forever, daemon=True).start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
