"""A place that gives a program only to who knows its password: a web server of ours, in the probe image."""

from __future__ import annotations

import json

PORT = 8099
USER = "boxproof"
PROGRAM = "#!/bin/sh\necho private\n"
SAYS = "private"
READY = "serving"
SERVER = f"""
import base64, http.server, json, sys
program, wanted = json.loads(sys.argv[1])
wanted = "Basic " + base64.b64encode(wanted.encode()).decode()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.headers.get("Authorization") == wanted
        body = program.encode() if known else b""
        self.send_response(200 if known else 401)
        self.send_header("WWW-Authenticate", 'Basic realm="private"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.HTTPServer(("0.0.0.0", {PORT}), Handler)
print("{READY}", flush=True)
server.serve_forever()
"""


def command(password: str) -> list[str]:
    """Return the command that serves ``PROGRAM`` under ``password``."""
    return ["python3", "-c", SERVER, json.dumps([PROGRAM, f"{USER}:{password}"])]


def netrc(host: str, password: str) -> str:
    """Return the netrc file that lets a client in."""
    return f"machine {host} login {USER} password {password}\n"
