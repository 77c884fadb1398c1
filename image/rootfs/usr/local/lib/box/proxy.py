"""The agent's way out: opens tunnels to port 443 of the names on a list, and to nothing else.

proxy.py DIRECTORY [PORT]   the list: the files allowed* there, one name a line; * stands for any characters

It takes CONNECT alone. What goes through the tunnel has to begin as TLS for the very name that was asked for:
a name that is allowed is no cover for another.
"""

import asyncio
import fnmatch
import logging
import re
import socket
import sys
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import client_hello
import logs
from client_hello import NoHello
from logs import log

PORT = 443
LISTENS = 3128
CLIENTS = 200  # at a time
HEAD, HEAD_WITHIN = 8192, 10.0  # bytes and seconds of a request
CONNECT_WITHIN = 20.0  # seconds
HELLO_WITHIN = 30.0  # seconds until the tunnel's first message is there
SILENCE = 3600.0  # seconds without a byte in either direction
PART = 1 << 16  # bytes
NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*", re.ASCII)
PATTERN = re.compile(r"[a-z0-9_.*-]+", re.ASCII)
REQUEST = re.compile(rb"([A-Z]{1,16}) ([\x21-\x7e]{1,512}) HTTP/1\.[01]")
PHRASES = {
    200: "Connection established", 400: "Bad Request", 403: "Forbidden", 405: "Method Not Allowed",
    408: "Request Timeout", 431: "Request Header Fields Too Large", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip


class Refused(Exception):
    """A request without a tunnel: the status it is answered with, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def patterns(directory: Path) -> list[str]:
    """Return what is allowed, in lower case; raises ValueError for what is no name. Read at each request."""
    lines = [line for each in sorted(directory.glob("allowed*")) for line in each.read_text().splitlines()]
    found = [each for each in (line.strip().lower() for line in lines) if each and not each.startswith("#")]
    if wrong := [each for each in found if not PATTERN.fullmatch(each)]:
        raise ValueError(f"{wrong[0]!r} on the list is no name; * stands for any characters")
    return found


def allows(name: str, allowed: list[str]) -> bool:
    """Return whether a name, as a client writes it, is on the list."""
    return NAME.fullmatch(name) is not None and any(fnmatch.fnmatchcase(name, each) for each in allowed)


def target(head: bytes, allowed: list[str]) -> str:
    """Return the name that a request's head asks a tunnel to; raises Refused."""
    first = head.split(b"\r\n", 1)[0]
    if not (found := REQUEST.fullmatch(first)):
        raise Refused(400, "no request")
    if found[1] != b"CONNECT":
        raise Refused(405, f"{found[1].decode()}: only CONNECT is taken")
    host, _, port = found[2].decode("ascii").lower().rpartition(":")
    if port != str(PORT):
        raise Refused(403, f"{host or port}: not on port {PORT}")
    if not allows(host, allowed):
        raise Refused(403, f"{host}: not on the list")
    return host


async def head(reader: asyncio.StreamReader) -> bytes:
    """Return the head of a request, b"" where none came; raises Refused."""
    try:
        async with asyncio.timeout(HEAD_WITHIN):
            return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise Refused(400, "half a request") from None
        return b""
    except asyncio.LimitOverrunError:
        raise Refused(431, f"a head of more than {HEAD} bytes") from None
    except TimeoutError:
        raise Refused(408, f"no request within {HEAD_WITHIN:g} s") from None


async def connected(name: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection to a name; raises Refused."""
    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            return await asyncio.open_connection(name, PORT)
    except TimeoutError:
        raise Refused(504, f"{name}: no connection within {CONNECT_WITHIN:g} s") from None
    except (OSError, UnicodeError) as error:
        raise Refused(502, f"{name}: {error}") from None


async def hello(reader: asyncio.StreamReader) -> tuple[bytes, str]:
    """Return what a tunnel begins with, and the name in it; raises NoHello."""
    kept = b""
    try:
        async with asyncio.timeout(HELLO_WITHIN):
            while (found := client_hello.message(kept)) is None:
                if not (part := await reader.read(PART)):
                    raise NoHello("it ended before one")
                kept += part
                if len(kept) > 2 * client_hello.LONGEST:
                    raise NoHello("it is too long for one")
    except TimeoutError:
        raise NoHello("there was none in time") from None
    return kept, client_hello.name(found)


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, alive: asyncio.Timeout) -> None:
    """Copy one direction to its end, and tell the other side that it has ended."""
    loop = asyncio.get_running_loop()
    while part := await reader.read(PART):
        alive.reschedule(loop.time() + SILENCE)
        writer.write(part)
        await writer.drain()
    with suppress(OSError, RuntimeError):
        writer.write_eof()


class Proxy:
    """The service."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clients = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client, whatever it sends."""
        self.clients += 1
        try:
            with suppress(ConnectionError):
                await self.answer(reader, writer)
        finally:
            self.clients -= 1
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Open the tunnel that a client asks for, or say why not."""
        try:
            if not (asked := await head(reader)):
                return
            if self.clients > CLIENTS:
                raise Refused(503, f"more than {CLIENTS} clients")
            name = target(asked, self.allowed())
            far_reader, far_writer = await connected(name)
        except Refused as why:
            log(f"refused {why}", status=why.status)
            await said(writer, why.status)
            return
        try:
            await said(writer, 200)
            await tunnel(name, (reader, writer), (far_reader, far_writer))
        finally:
            far_writer.transport.abort()

    def allowed(self) -> list[str]:
        """Return what is allowed now; raises Refused where that cannot be read."""
        try:
            return patterns(self.directory)
        except (OSError, ValueError) as error:
            raise Refused(503, f"the list cannot be read: {error}") from None


async def said(writer: asyncio.StreamWriter, status: int) -> None:
    """Answer with a status."""
    more = "" if status == 200 else "Connection: close\r\nContent-Length: 0\r\n"
    writer.write(f"HTTP/1.1 {status} {PHRASES[status]}\r\n{more}\r\n".encode())
    with suppress(TimeoutError):
        async with asyncio.timeout(HEAD_WITHIN):
            await writer.drain()


async def tunnel(
    name: str,
    near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    """Copy both ways until both have ended, or an hour of silence, once the name is seen to be right."""
    try:
        first, shown = await hello(near[0])
        if shown != name:
            raise NoHello(f"it is for {shown[:253]!r}")
    except NoHello as why:
        log(f"ended the tunnel to {name}: {why}", status=403)
        return
    far[1].write(first)
    try:
        async with asyncio.timeout(SILENCE) as alive, asyncio.TaskGroup() as both:
            both.create_task(copy(near[0], far[1], alive))
            both.create_task(copy(far[0], near[1], alive))
    except* OSError as ended:  # one side is gone, or was silent for too long
        log(f"the tunnel to {name} ended: {ended.exceptions[0]!r}", "debug")


def listening(port: int) -> socket.socket:
    """Return a socket that listens on every address, of IPv6 too where there is any."""
    try:
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=CLIENTS)
    except (OSError, ValueError):
        return socket.create_server(("", port), backlog=CLIENTS)


async def run(directory: Path, port: int) -> None:
    """Serve for ever."""
    log("serving", port=port, allowed=patterns(directory))
    server = await asyncio.start_server(Proxy(directory).serve, sock=listening(port), limit=HEAD)
    async with server:
        await server.serve_forever()


def main(words: list[str]) -> int:
    """Run as a program."""
    logs.install()
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    if len(words) not in (1, 2) or not "".join(words[1:] or "0").isdigit():
        log(f"proxy: '{' '.join(words)}' is not DIRECTORY [PORT].", "error")
        return 2
    try:
        asyncio.run(run(Path(words[0]), int(words[1]) if words[1:] else LISTENS))
    except (OSError, ValueError) as error:
        log(f"No way out: {error}", "error")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
