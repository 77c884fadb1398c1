"""Private git repositories, as a forge serves them: git's own http-backend behind basic authentication."""

from __future__ import annotations

import base64
import binascii
import gzip
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OWNER = "/boxproof/"
STALL = 120.0  # seconds an answer is held back at most
WHO = ("-c", "user.name=boxproof", "-c", "user.email=boxproof@localhost")
Json = dict[str, Any]


@dataclass
class Repository:
    """One repository: who may read it, what was asked of it, how much of a pack is sent before it stalls."""

    directory: Path
    token: str
    received: list[Json] = field(default_factory=list)
    stall_after: float | None = None  # a share of the answer; None: all of it
    flowing: threading.Event = field(default_factory=threading.Event)


class Repositories:
    """All repositories of a stub, by name."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.root: tempfile.TemporaryDirectory[str] | None = None  # goes with the process
        self.known: dict[str, Repository] = {}

    def control(self, what: str, body: Json) -> Json:
        """Do what a check asks for: create, commit, stall, flow; raises KeyError, ValueError."""
        name = str(body["name"])
        if what == "create":
            self._create(name, str(body["token"]))
            return {}
        one = self.known[name]
        if what == "commit":
            return {"commit": commit(one.directory, body["files"], anew=bool(body.get("anew")))}
        if what == "stall":
            one.stall_after = float(body["after"])
            one.flowing.clear()
        elif what == "flow":
            one.stall_after = None
            one.flowing.set()
        else:
            raise ValueError(what)
        return {}

    def received(self, name: str) -> list[Json]:
        """Return what was asked of one repository; raises KeyError."""
        with self.lock:
            return list(self.known[name].received)

    def _create(self, name: str, token: str) -> None:
        if not name.replace("-", "").isalnum():
            raise ValueError(name)
        with self.lock:
            if self.root is None:
                self.root = tempfile.TemporaryDirectory(prefix="boxproof-git-")
            directory = Path(tempfile.mkdtemp(dir=self.root.name), name)
        git(directory, "init", "--quiet", "--initial-branch=main", str(directory), inside=False)
        with self.lock:
            self.known[name] = Repository(directory, token)

    def named(self, path: str) -> tuple[Repository | None, str]:
        """Return the repository of an address and what of it is asked for."""
        name, _, rest = path.removeprefix(OWNER).partition("/")
        return self.known.get(name.removesuffix(".git")), rest


def git(directory: Path, *words: str, inside: bool = True) -> str:
    """Run git in a repository and return its output; raises ValueError with its words."""
    place = ["-C", str(directory)] if inside else []
    ended = subprocess.run(["git", *WHO, *place, *words], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise ValueError(ended.stderr.strip())
    return ended.stdout.strip()


def commit(directory: Path, files: Mapping[str, Any], *, anew: bool = False) -> str:
    """Commit texts (None removes a file, a number is that many random bytes); returns the commit's id.

    ``anew`` puts it in the place of the last one, of which the branch knows nothing then.
    """
    for path, content in files.items():
        target = directory / path
        if content is None:
            target.unlink()
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, int):
            target.write_bytes(os.urandom(content))
        else:
            target.write_text(content)
    git(directory, "add", "--all")
    amended = ["--amend"] if anew else []
    git(directory, "commit", "--quiet", "--allow-empty", "--message", "boxproof", *amended)
    return git(directory, "rev-parse", "HEAD")


def allowed(header: str, token: str) -> bool:
    """Return whether a basic Authorization header holds the token, as the name or as the password."""
    kind, _, value = header.partition(" ")
    try:
        name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return kind.lower() == "basic" and token in (name, password)


def negotiated(body: bytes, encoding: str) -> Json:
    """Return how many commits a request wants and has already: it has none for a new clone."""
    plain = gzip.decompress(body) if encoding == "gzip" else body
    return {"wants": plain.count(b"want "), "haves": plain.count(b"have ")}


def answer(
    one: Repository, rest: str, query: str, method: str, headers: Mapping[str, str], body: bytes
) -> Json:
    """Return what git's http-backend answers: status, headers, body."""
    environ = {
        "PATH": "/usr/bin:/bin", "GIT_PROJECT_ROOT": str(one.directory.parent), "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{one.directory.name}/{rest}", "QUERY_STRING": query, "REQUEST_METHOD": method,
        "CONTENT_TYPE": headers.get("Content-Type") or "", "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": headers.get("Content-Encoding") or "",
        "GIT_PROTOCOL": headers.get("Git-Protocol") or "", "REMOTE_USER": "boxproof",
    }  # fmt: skip
    backend = Path(git(one.directory, "--exec-path"), "git-http-backend")
    ended = subprocess.run([backend], env=environ, input=body, capture_output=True, check=False)
    head, _, content = ended.stdout.partition(b"\r\n\r\n")
    pairs = [line.partition(":") for line in head.decode().split("\r\n") if ":" in line]
    sent = {name: value.strip() for name, _, value in pairs}
    status = int(sent.pop("Status", "200").split()[0])
    return {"status": status if head else 500, "headers": sent, "body": content}


def serve(handler: Any, repositories: Repositories, path: str, query: str) -> int:
    """Answer one request of a git client on ``handler`` (an http.server one); returns the status."""
    one, rest = repositories.named(path)
    body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    known = one is not None and allowed(handler.headers.get("Authorization") or "", one.token)
    entry: Json = {"at": time.time(), "method": handler.command, "path": rest, "known": known, "status": 0}
    entry |= negotiated(body, handler.headers.get("Content-Encoding") or "")
    if one is not None:
        with repositories.lock:
            one.received.append(entry)
    if one is None or not known:
        told = {"WWW-Authenticate": 'Basic realm="private repositories"'}
        made: Json = {"status": 401, "headers": told, "body": b""}
    else:
        made = answer(one, rest, query, handler.command, handler.headers, body)
    entry["status"] = made["status"]
    send(handler, made, one if known and rest == "git-upload-pack" else None)
    return int(made["status"])


def send(handler: Any, made: Json, one: Repository | None) -> None:
    """Send an answer; of a pack first the share after which it stalls, and the rest when it may flow."""
    content: bytes = made["body"]
    handler.send_response(made["status"])
    for name, value in made["headers"].items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    sent = 0
    if one is not None and one.stall_after is not None and len(content) > 1000:  # what is shorter is no pack
        sent = int(len(content) * one.stall_after)
        handler.wfile.write(content[:sent])
        handler.wfile.flush()
        one.flowing.wait(STALL)
    handler.wfile.write(content[sent:])
