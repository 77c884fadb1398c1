"""The other ends of a private stage: listeners, names and an abstract socket in one network namespace."""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any


def family(address: str) -> socket.AddressFamily:
    """Return the family of an address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def tcp(address: str, port: int, token: str) -> None:
    """Listen, and answer each connection with ``token``."""
    server = socket.create_server((address, port), family=family(address), backlog=64)
    background(lambda: answer(server, token))


def udp(address: str, port: int, token: str) -> None:
    """Answer each datagram with ``token``."""
    server = socket.socket(family(address), socket.SOCK_DGRAM)
    server.bind((address, port))

    def work() -> None:
        while True:
            _, peer = server.recvfrom(2048)
            with suppress(OSError):
                server.sendto(f"{token}\n".encode(), peer)

    background(work)


def abstract(name: str, token: str) -> None:
    """Listen on an abstract Unix socket."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(f"\0{name}")
    server.listen(16)
    background(lambda: answer(server, token))


def answer(server: socket.socket, token: str) -> None:
    """Serve for ever."""
    while True:
        connection, _ = server.accept()
        try:
            connection.sendall(f"{token}\n".encode())
            connection.close()
        except OSError:
            continue


def names(address: str, table: dict[str, str]) -> None:
    """Answer name queries over UDP and TCP from ``table``; all other names do not exist."""
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagram.bind((address, 53))
    stream = socket.create_server((address, 53))

    def datagrams() -> None:
        while True:
            query, peer = datagram.recvfrom(2048)
            datagram.sendto(reply(query, table), peer)

    def streams() -> None:
        while True:
            connection, _ = stream.accept()
            try:
                size = struct.unpack("!H", connection.recv(2))[0]
                said = reply(connection.recv(size), table)
                connection.sendall(struct.pack("!H", len(said)) + said)
                connection.close()
            except (OSError, struct.error):
                continue

    background(datagrams)
    background(streams)


def reply(query: bytes, table: dict[str, str]) -> bytes:
    """Return the answer to one query."""
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode(errors="replace"))
        at += query[at] + 1
    question = query[12 : at + 5]
    kind = struct.unpack("!H", query[at + 1 : at + 3])[0]
    address = table.get(".".join(labels).lower())
    known = kind == 1 and address is not None
    code = 0 if address is not None else 3
    head = query[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, int(known), 0, 0)
    if not known:
        return head + question
    record = struct.pack("!HHHIH", 0xC00C, 1, 1, 5, 4) + socket.inet_aton(str(address))
    return head + question + record


def background(work: Callable[[], None]) -> None:
    """Go on with ``work`` beside the rest."""
    threading.Thread(target=work, daemon=True).start()


def main(asked: dict[str, Any]) -> None:
    """Serve what was asked for until standard input ends."""
    for address, port, token in asked.get("tcp", ()):
        tcp(address, int(port), token)
    for address, port, token in asked.get("udp", ()):
        udp(address, int(port), token)
    for name, token in asked.get("abstract", ()):
        abstract(name, token)
    for address, table in asked.get("names", {}).items():
        names(address, table)
    print("ready", flush=True)
    while os.read(0, 4096):
        pass


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
