"""What the proxy opens: tunnels to one port of a listed name, for who shows that very name in them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Containers
from pytest_claims import claim, control, needs, observe, pace, require, scope
from pytest_claims.faults import EnvironmentFault
from suites.netpol import tls_hellos
from suites.netpol.test_names import API, LOOKALIKES
from suites.netpol.tls_hellos import hello, no_hello, with_names

WITHIN = 30.0  # seconds for each step, more on a slow machine
NOT_OPENED = require("no tunnel is opened", lambda status: 400 <= status < 500)
NOTHING_HEARD = require("nothing is heard from beyond the proxy", lambda heard: heard == "nothing")
# what the proxy says to a first line; with a name, what a TLS hello that shows it hears ("" shows none)
TRY = """
import json, socket, ssl, sys
host, port, line, shown, seconds = json.loads(sys.argv[1])
found = {"status": 0, "heard": "nothing"}

def hello():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    begun = context.wrap_bio(into, out, server_hostname=shown or None)
    try:
        begun.do_handshake()
    except ssl.SSLWantReadError:
        return out.read()

try:
    with socket.create_connection((host, port), timeout=seconds) as proxy:
        proxy.sendall((line + "\\r\\nHost: " + line.split()[1] + "\\r\\n\\r\\n").encode())
        head = b""
        while not head.endswith(b"\\r\\n\\r\\n") and (byte := proxy.recv(1)):
            head += byte
        if head.startswith(b"HTTP/"):
            found["status"] = int(head.split()[1])
        if shown is not None and found["status"] == 200:
            proxy.sendall(hello())
            if proxy.recv(1):
                found["heard"] = "an answer"
except OSError:  # it ended, or said nothing in time
    pass
print(json.dumps(found))
"""
CONNECT = f"CONNECT {API}:443 HTTP/1.1"
OTHERWISE = (
    f"CONNECT {API}:80 HTTP/1.1",
    f"CONNECT {API}:22 HTTP/1.1",
    f"CONNECT {API}:8443 HTTP/1.1",
    f"GET http://{API}/ HTTP/1.1",
    f"GET https://{API}/ HTTP/1.1",
    f"POST http://{API}/v1/messages HTTP/1.1",
)
SHOWN = {"a name that is not listed": LOOKALIKES[0], "another listed name": "claude.ai", "no name": ""}


def said(box: Box, line: str, shown: str | None = None) -> tuple[int, str]:
    """Return the proxy's status for a first line, and what its tunnel brings; raises EnvironmentFault."""
    proxy, limit = urlsplit(box.proxy), pace.stretched(WITHIN)
    asked = json.dumps([proxy.hostname, proxy.port, line, shown, limit])
    ended = box.exec(["python3", "-I", "-c", TRY, asked], timeout=4 * limit)
    if not ended.ok:
        raise EnvironmentFault(f"the client of the proxy broke: {ended.stderr[-300:]}")
    found = json.loads(ended.stdout)
    return int(found["status"]), str(found["heard"])


def status(box: Box, line: str) -> int:
    """Return the proxy's status for a first line; an observation."""
    return observe("status", line, said(box, line)[0])


@claim("netpol-proxy-one-name-per-tunnel")
@needs("proxy")
def test_nothing_but_a_tunnel_to_443_is_opened(box: Box) -> None:
    with control("a tunnel to 443 of a listed name is"):
        assert NOT_OPENED.fails(status(box, CONNECT)) == 200
    for line in OTHERWISE:
        NOT_OPENED(status(box, line))


@claim("netpol-proxy-one-name-per-tunnel")
@needs("proxy")
def test_a_tunnel_carries_nothing_for_another_name(box: Box) -> None:
    def heard(what: str, shown: str) -> str:
        code, found = said(box, CONNECT, shown)
        return observe("heard", f"a hello that shows {what}, of a tunnel with status {code}", found)

    with control("who shows the name that the tunnel is for is answered"):
        NOTHING_HEARD.fails(heard("its name", API))
    for what, shown in SHOWN.items():
        NOTHING_HEARD(heard(what, shown))


PATIENCE = 45.0  # seconds that a client is silent: longer than a proxy waits for what it has begun
PROXY = ("python3", "-I", "/usr/local/lib/box/proxy.py")
LISTENS = 3128
LOW = {"net.ipv4.ip_unprivileged_port_start": "0"}
SILENT = require("a tunnel that was shown no such hello carries nothing", lambda told: told == "nothing")


def untold(other: str) -> dict[str, list[bytes]]:
    """Return what shows another name than the tunnel's, or none: the parts of each, silence between them."""
    late = hello(other)
    return {
        "a name below it": [hello(f"x.{API}")],
        "a longer name": [hello(f"not{API}")],
        "a name that begins like it": [hello(f"{API}.exfil.example")],
        "a name above it": [hello(API.partition(".")[2])],
        "its name and another": [with_names(API, other)],
        "another name and its own": [with_names(other, API)],
        "its name in no hello": [no_hello(API)],
        "no TLS": [b"SSH-2.0-x\r\n"],
        "HTTP": [f"GET / HTTP/1.1\r\nHost: {API}\r\n\r\n".encode()],
        "half of a hello, then the rest": [late[:60], late[60:]],
        "silence, then no TLS": [b"", b"SSH-2.0-x\r\n"],
    }


def tunnels(container: Containers, clients: Mapping[str, Sequence[bytes]]) -> dict[str, str]:
    """Return what each client hears in a tunnel of its own through the image's proxy."""
    box = container.idle(extra_hosts={API: "127.0.0.1"}, sysctls=LOW)
    parts = [[base64.b64encode(each).decode() for each in said] for said in clients.values()]
    asked = json.dumps([parts, PROXY, LISTENS, API, pace.stretched(PATIENCE)])
    ended = box.exec(["python3", "-I", "-c", tls_hellos.TRY, asked])
    if not ended.ok:
        raise EnvironmentFault(f"the clients of the proxy broke: {ended.stderr[-300:]}")
    return dict(zip(clients, json.loads(ended.stdout), strict=True))


@claim("netpol-proxy-one-name-per-tunnel")
@scope("image")
@needs("box", "proxy")
def test_a_tunnel_carries_nothing_before_a_hello_of_its_name(container: Containers) -> None:
    wrong, right = untold(LOOKALIKES[0]), "its name"
    found = tunnels(container, wrong | {right: [hello(API)]})

    def told(what: str) -> str:
        return observe("told", f"a client that shows {what}", found[what])

    with control("who shows its name is answered"):
        SILENT.fails(told(right))
    for what in wrong:
        SILENT(told(what))
