"""A stand-in for the API server of another cluster: it knows one token, and tells everyone else 401."""

from __future__ import annotations

from dataclasses import dataclass

PORT = 443
USER = "somebody-there"
READY = "serving"
DIRECTORY = "/etc/boxproof-cluster"
SERVER = f"""
import http.server, json, ssl, sys
user = {{"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview",
        "metadata": {{}}, "status": {{"userInfo": {{"username": "{USER}"}}}}}}
stranger = {{"apiVersion": "v1", "kind": "Status", "metadata": {{}}, "status": "Failure",
            "message": "Unauthorized", "reason": "Unauthorized", "code": 401}}
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        known = self.headers.get("Authorization") == "Bearer " + sys.argv[1]
        body = json.dumps(user if known else stranger).encode()
        self.send_response(201 if known else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST
server = http.server.ThreadingHTTPServer(("0.0.0.0", {PORT}), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("{DIRECTORY}/tls.crt", "{DIRECTORY}/tls.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
print("{READY}", flush=True)
server.serve_forever()
"""


@dataclass(frozen=True)
class Elsewhere:
    """Another cluster's API server: its address, and the one token it knows."""

    address: str
    token: str

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"https://{self.address}:{PORT}"


def command(token: str) -> list[str]:
    """Return the command that answers to ``token``."""
    return ["python3", "-c", SERVER, token]
