"""The way out: real connections through the proxy to a site of this machine, with TLS for it and without."""

from __future__ import annotations

import asyncio
import importlib
import json
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from boxproof.core.process import run
from boxproof.core.settings import ROOT

BOX = ROOT / "image/rootfs/usr/local/lib/box"
SITE = "localhost"
AUTHORITY = trustme.CA()


@pytest.fixture(scope="module")
def proxy() -> Iterator[Any]:
    """The program as a module."""
    sys.path.insert(0, str(BOX))
    try:
        yield importlib.import_module("proxy")
    finally:
        sys.path.remove(str(BOX))
        for each in ("proxy", "client_hello", "logs"):
            sys.modules.pop(each, None)


def client_hello(name: str | None) -> bytes:
    """Return what a client of this Python's says first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    out = ssl.MemoryBIO()
    made = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        made.do_handshake()
    return out.read()


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Any]]


@asynccontextmanager
async def way(proxy: Any, directory: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[int, int]]:
    """Give the ports of a proxy that runs, and of the site behind it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(SITE).configure_cert(context)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"said: " + await reader.readline())
        writer.close()

    site = await asyncio.start_server(answer, SITE, 0, ssl=context)
    port = site.sockets[0].getsockname()[1]
    monkeypatch.setattr(proxy, "PORT", port)
    found = proxy.listening(0)
    served = await asyncio.start_server(proxy.Proxy(directory).serve, sock=found, limit=proxy.HEAD)
    async with site, served:
        yield found.getsockname()[1], port


def through(
    proxy: Any, directory: Path, monkeypatch: pytest.MonkeyPatch, first: str, then: bytes | str
) -> bytes:
    """Return what comes back for a request and what follows, a name being TLS for it; PORT is the site's."""

    async def talk() -> bytes:
        async with way(proxy, directory, monkeypatch) as (port, far):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(first.replace("PORT", str(far)).encode("latin-1") + b"\r\n\r\n")
            if isinstance(then, str):
                head = await reader.readuntil(b"\r\n\r\n")
                context = ssl.create_default_context(cadata=AUTHORITY.cert_pem.bytes().decode())
                context.check_hostname = False
                try:
                    await writer.start_tls(context, server_hostname=then)
                    writer.write(b"hello\n")
                    return head + await reader.read()
                except (ConnectionError, ssl.SSLError):
                    return head
                finally:
                    writer.close()
            writer.write(then)
            writer.write_eof()
            try:
                return await reader.read()
            finally:
                writer.close()

    return asyncio.run(asyncio.wait_for(talk(), 30))


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    (tmp_path / "allowed").write_text(f"# names\n{SITE}\n*.example\n")
    return tmp_path


def test_a_listed_name_is_reached(proxy: Any, listed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = through(proxy, listed, monkeypatch, f"CONNECT {SITE.upper()}:PORT HTTP/1.1", SITE)

    assert found == b"HTTP/1.1 200 Connection established\r\n\r\nsaid: hello\n"


@pytest.mark.parametrize(
    "then",
    ["other.example", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x00", b"", b"SSH-2.0-x\r\n",
     client_hello(None), client_hello("a.example")],
)  # fmt: skip
def test_nothing_but_tls_for_that_name_goes_through(
    proxy: Any, listed: Path, monkeypatch: pytest.MonkeyPatch, then: bytes | str
) -> None:
    found = through(proxy, listed, monkeypatch, f"CONNECT {SITE}:PORT HTTP/1.1", then)

    assert found == b"HTTP/1.1 200 Connection established\r\n\r\n"


@pytest.mark.parametrize(
    ("first", "status"),
    [
        ("GET http://localhost/ HTTP/1.1", 405), ("POST http://localhost:PORT/ HTTP/1.1", 405),
        ("CONNECT localhost:80 HTTP/1.1", 403), ("CONNECT localhost HTTP/1.1", 403),
        ("CONNECT 127.0.0.1:PORT HTTP/1.1", 403), ("CONNECT [::1]:PORT HTTP/1.1", 403),
        ("CONNECT localhost.:PORT HTTP/1.1", 403), ("CONNECT xlocalhost:PORT HTTP/1.1", 403),
        ("CONNECT localhost.evil:PORT HTTP/1.1", 403), ("CONNECT evil@localhost:PORT HTTP/1.1", 403),
        ("CONNECT a/.example:PORT HTTP/1.1", 403), ("CONNECT a%2e.example:PORT HTTP/1.1", 403),
        ("CONNECT localhost:PORT HTTP/2.0", 400), ("connect localhost:PORT HTTP/1.1", 400),
        ("CONNECT  localhost:PORT HTTP/1.1", 400), ("CONNECT localh\xf6st:PORT HTTP/1.1", 400),
        ("\0", 400), ("x" * 9000, 431), ("CONNECT no-such.example:PORT HTTP/1.1", 502),
    ],
)  # fmt: skip
def test_what_is_refused(
    proxy: Any, listed: Path, monkeypatch: pytest.MonkeyPatch, first: str, status: int
) -> None:
    assert through(proxy, listed, monkeypatch, first, b"").startswith(f"HTTP/1.1 {status} ".encode())


def test_a_list_that_cannot_be_read_lets_nobody_out(
    proxy: Any, listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (listed / "allowed").write_text("https://localhost\n")

    assert b" 503 " in through(proxy, listed, monkeypatch, f"CONNECT {SITE}:PORT HTTP/1.1", b"")


def test_every_list_of_the_directory_counts(
    proxy: Any, listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (listed / "allowed").write_text("")
    (listed / "allowed-more").write_text(SITE)

    assert b"said: hello" in through(proxy, listed, monkeypatch, f"CONNECT {SITE}:PORT HTTP/1.1", SITE)


def test_the_name_is_read_from_several_records(proxy: Any) -> None:
    whole = client_hello("a.example")
    message = whole[5:]
    parts = b"".join(
        b"\x16\x03\x01" + len(each).to_bytes(2, "big") + each for each in (message[:7], message[7:])
    )
    read = proxy.client_hello

    assert read.name(read.message(parts)) == "a.example"
    assert [read.message(parts[:end]) for end in range(len(parts))] == [None] * len(parts)


def test_a_hidden_name_is_seen_to_be_hidden(proxy: Any) -> None:
    hello = bytearray(client_hello("a.example")[5:])
    hidden = b"\xfe\x0d\0\x01\0"
    at = 4 + 2 + 32
    at += 1 + hello[at]
    at += 2 + int.from_bytes(hello[at : at + 2], "big")
    at += 1 + hello[at]
    size = int.from_bytes(hello[at : at + 2], "big") + len(hidden)
    hello[at : at + 2] = size.to_bytes(2, "big") + hidden
    hello[1:4] = (len(hello) - 4).to_bytes(3, "big")

    with pytest.raises(proxy.client_hello.NoHello, match="hides"):
        proxy.client_hello.name(bytes(hello))


@given(data=st.binary(max_size=400), at=st.integers(0, 400))
def test_no_bytes_break_it(proxy: Any, data: bytes, at: int) -> None:
    whole = client_hello("a.example")
    for each in (data, whole[:at] + data, whole[:at] + data + whole[at:]):
        with suppress(proxy.client_hello.NoHello):
            proxy.client_hello.name(proxy.client_hello.message(each) or b"")
        with suppress(proxy.Refused):
            proxy.target(each, ["a.example"])


@pytest.mark.parametrize(("words", "code"), [([], 2), (["a", "b"], 2), (["a", "1", "2"], 2)])
def test_wrong_words_are_named(words: list[str], code: int) -> None:
    done = run([sys.executable, "-I", BOX / "proxy.py", *words], timeout=30, check=False)

    assert done.code == code
    assert "DIRECTORY" in json.loads(done.stderr)["msg"]


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run([sys.executable, "-I", BOX / "proxy.py", tmp_path, port], timeout=30, check=False)

    assert done.code == 1
    assert json.loads(done.stderr.splitlines()[-1])["msg"].startswith("No way out")
