"""HTTPS and whole tables of connections, probed for real on this machine."""

from __future__ import annotations

import secrets
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import trustme

from boxproof.core.process import Result, run
from boxproof.kube.network_policies import Place
from boxproof.probes import connectivity
from boxproof.probes.probe_program import ask
from boxproof.probes.reach import Reach
from suites.netpol.https_requests import Https, https

START = "from boxproof.probes.program_files.probe import main; import sys; sys.exit(main())"
ANSWER = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class Here:
    """The probe program on this machine."""

    label = "here"
    address = "127.0.0.1"

    def probe(self, *words: str, timeout: float = 30) -> Result:
        """Run it."""
        return run([sys.executable, "-c", START, *words], timeout=timeout, check=False)


@dataclass
class Site:
    """Something that speaks TLS, or, with ``says``, answers a CONNECT first."""

    port: int
    authority: str


@pytest.fixture(params=[0, 200, 403], ids=["direct", "proxy", "proxy that forbids"])
def site(request: pytest.FixtureRequest) -> Iterator[tuple[Site, int]]:
    """A site of "localhost", direct or behind a proxy that gives one answer."""
    authority = trustme.CA(organization_name="test authority")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server, context, request.param), daemon=True).start()
        made = Site(server.getsockname()[1], authority.cert_pem.bytes().decode())
        yield made, request.param


def serve(server: socket.socket, context: ssl.SSLContext, says: int) -> None:
    """Answer connections until the socket is closed."""
    while True:
        try:
            connection = server.accept()[0]
            if says:
                connection.recv(4096)
                connection.sendall(f"HTTP/1.1 {says} So\r\n\r\n".encode())
            if says in (0, 200):
                with context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(4096)
                    secure.sendall(ANSWER)
            connection.close()
        except ssl.SSLError:
            continue
        except OSError:
            return


def test_who_answers_is_told_and_what_the_proxy_says(site: tuple[Site, int]) -> None:
    made, says = site
    via = f"http://127.0.0.1:{made.port}" if says else ""

    found = https(Here(), "localhost", authority=made.authority, via=via, port=made.port)

    if says == 403:
        assert found == Https(Reach.OPEN, proxy=403)
        assert found.refused
    else:
        assert found == Https(Reach.OPEN, says, True, 404, "test authority")
        assert found.ok


@pytest.mark.parametrize("site", [0], indirect=True)
def test_another_authority_is_told_apart(site: tuple[Site, int]) -> None:
    other = trustme.CA().cert_pem.bytes().decode()

    found = https(Here(), "localhost", authority=other, port=site[0].port)

    assert found == Https(Reach.OPEN, verified=False)
    assert not found.ok


def test_nobody_there_is_refused() -> None:
    found = https(Here(), "localhost", authority=trustme.CA().cert_pem.bytes().decode(), port=1)

    assert found == Https(Reach.REFUSED)
    assert found.refused


@pytest.fixture
def free() -> int:
    """A port nobody uses, over TCP or UDP."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_table_is_filled_from_packets(free: int) -> None:
    here, closed = Here(), 1
    spot = connectivity.exposed(Place("here", "127.0.0.1", "a"), here, [free], secrets.token_hex(4))
    shut = connectivity.Spot(Place("shut", "127.0.0.1", "a"), ((closed, "TCP"),))
    rows = connectivity.rows(
        [connectivity.Spot(Place("source", "127.0.0.1", "a"), (), prober=here), spot, shut]
    )

    try:
        seen = connectivity.tried(rows)
    finally:
        assert ask(here, "stop", "--token", spot.token)["stopped"]

    assert seen == {
        f"source -> here:{free}/TCP": Reach.OPEN, f"source -> here:{free}/UDP": Reach.OPEN,
        "source -> shut:1/TCP": Reach.REFUSED, "here -> shut:1/TCP": Reach.REFUSED,
    }  # fmt: skip
    assert connectivity.mismatches(connectivity.expected(rows, []), seen) == [
        "here -> shut:1/TCP: refused, allowed", "source -> shut:1/TCP: refused, allowed",
    ]  # fmt: skip
