"""A server of updates for the CLI that offers a version of its own, as the CLI asks for one.

A program of its own asks for programs, one that npm has installed asks npm, which asks its registry.
"""

from __future__ import annotations

from dataclasses import dataclass

from boxproof.probes.containers import Files, LocalContainer
from boxproof.stubs import certificates
from pytest_claims import pace

HOST = "downloads.claude.ai"
VERSION = "999.9.9"
READY = "ready"
COMMAND = ("-u", "/updates.py")
PROGRAM = f'''\
import base64, hashlib, http.server, io, json, ssl, tarfile

PROGRAM = b"#!/bin/sh\\necho '{VERSION} (Claude Code)'\\n"
CHECKSUM = {{"binary": "claude", "checksum": hashlib.sha256(PROGRAM).hexdigest(), "size": len(PROGRAM)}}
PLATFORMS = {{each: CHECKSUM for each in ("linux-x64", "linux-arm64")}}
FILES = {{
    "latest": b"{VERSION}", "stable": b"{VERSION}", "claude": PROGRAM,
    "manifest.json": json.dumps({{"version": "{VERSION}", "platforms": PLATFORMS}}).encode(),
}}
NPM = "@anthropic-ai/claude-code"
PACKAGE = {{"name": NPM, "version": "{VERSION}", "bin": {{"claude": "claude"}}}}


def packed():
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, data in (("package.json", json.dumps(PACKAGE).encode()), ("claude", PROGRAM)):
            one = tarfile.TarInfo("package/" + name)
            one.size, one.mode = len(data), 0o755
            archive.addfile(one, io.BytesIO(data))
    return made.getvalue()


ARCHIVE = packed()
DIST = {{
    "tarball": "https://{HOST}/claude.tgz", "shasum": hashlib.sha1(ARCHIVE).hexdigest(),
    "integrity": "sha512-" + base64.b64encode(hashlib.sha512(ARCHIVE).digest()).decode(),
}}
VERSIONS = {{"{VERSION}": {{**PACKAGE, "dist": DIST}}}}
TAGS = {{"latest": "{VERSION}", "stable": "{VERSION}"}}
DOCUMENT = json.dumps({{"name": NPM, "dist-tags": TAGS, "versions": VERSIONS}}).encode()
FILES |= {{"claude.tgz": ARCHIVE, "claude-code": DOCUMENT, "@anthropic-ai%2fclaude-code": DOCUMENT}}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        data = FILES.get(self.path.partition("?")[0].rpartition("/")[2])
        self.send_response(404 if data is None else 200)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data or b"")

    do_HEAD = do_GET


server = http.server.ThreadingHTTPServer(("0.0.0.0", 443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/updates.crt", "/updates.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
print("{READY}", flush=True)
server.serve_forever()
'''


@dataclass(frozen=True)
class Identity:
    """What a command's name stands for: the program's digest, and the version it reports."""

    digest: str
    version: str


def files() -> tuple[Files, str]:
    """Return the files of the server's container, and the authority that clients must know."""
    authority = certificates.issue([HOST])
    made = {
        "/updates.py": (PROGRAM.encode(), 0o644),
        "/updates.crt": (authority.chain, 0o644),
        "/updates.key": (authority.key, 0o600),
    }
    return made, authority.ca


def settings_of_npm(authority: str) -> dict[str, str]:
    """Return the variables with which npm asks this server; ``authority`` is a file in the container."""
    return {"npm_config_registry": f"https://{HOST}/", "npm_config_cafile": authority}


def identity(where: LocalContainer, name: str) -> Identity:
    """Return what a name of a command stands for in a container."""
    digest = where.exec(["sh", "-c", f'sha256sum "$(readlink -f "$(command -v {name})")"']).stdout[:64]
    version = where.exec(["sh", "-c", f"timeout {pace.stretched(30):.0f} {name} --version"]).stdout.strip()
    return Identity(digest, version)
