"""Many listeners at once, and many connections at once: what a table of connections is filled from."""

from __future__ import annotations

import argparse
import os
import selectors
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import Any

from boxproof.probes.program_files.dns import STATE, Answer, ending, question

SAYS = 30.0  # seconds until who was connected to says who it is: it may have to wait for a processor
AGAIN = 1.0  # seconds until a datagram is sent again, as TCP does
PKTINFO = 8  # IP_PKTINFO (ip(7)): which of its addresses a datagram came to
QUESTION = question("kubernetes.default.svc.cluster.local", 1)  # a resolver answers to nothing else
KINDS = {"TCP": socket.SOCK_STREAM, "UDP": socket.SOCK_DGRAM}


def expose(asked: argparse.Namespace) -> Answer:
    """Listen on every port, over TCP and UDP, in the background; all are answered with the token."""
    waiting = selectors.DefaultSelector()
    for port in asked.ports:
        for kind in KINDS.values():
            server = socket.socket(socket.AF_INET, kind)
            if kind == socket.SOCK_STREAM:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            else:
                server.setsockopt(socket.IPPROTO_IP, PKTINFO, 1)
            server.bind(("0.0.0.0", port))
            if kind == socket.SOCK_STREAM:
                server.listen(64)
            waiting.register(server, selectors.EVENT_READ)
    home = STATE / asked.token
    home.mkdir(parents=True)
    child = os.fork()
    if child == 0:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        answer_all(waiting, f"{asked.token}\n".encode())
    (home / "pid").write_text(str(child))  # where "stop" looks for it
    return {"ports": asked.ports}


def answer_all(waiting: selectors.BaseSelector, answer: bytes) -> None:
    """Answer whoever comes; never returns."""
    while True:
        for key, _ in waiting.select():
            server: Any = key.fileobj
            try:
                if server.type == socket.SOCK_DGRAM:
                    answer_datagram(server, answer)
                else:
                    connection = server.accept()[0]
                    connection.sendall(answer)
                    connection.close()
            except OSError:
                continue


def answer_datagram(server: socket.socket, answer: bytes) -> None:
    """Answer a datagram from the very address it came to, which may be one of many."""
    _, ancillary, _, peer = server.recvmsg(2048, 256)
    back = [
        (level, kind, struct.pack("=I4s4s", 0, data[4:8], bytes(4)))
        for level, kind, data in ancillary
        if (level, kind) == (socket.IPPROTO_IP, PKTINFO)
    ]
    server.sendmsg([answer], back, 0, peer)


def sweep(asked: argparse.Namespace) -> Answer:
    """Try every HOST:PORT/PROTOCOL at once and say how each ended; one with /who has to say who it is."""
    first, targets = asked.source_port, asked.targets
    sources = [first and first + number for number in range(len(targets))]
    with ThreadPoolExecutor(len(targets)) as pool:
        ends = list(pool.map(attempt, targets, sources, repeat(asked.within)))
    return {"ends": [{"target": target, **end} for target, end in zip(targets, ends, strict=True)]}


def attempt(target: str, source_port: int, within: float) -> dict[str, str]:
    """Try one; a datagram has to be answered to count, a connection only to be there."""
    place, protocol, *who = target.split("/")
    host, _, port = place.rpartition(":")
    try:
        with socket.socket(socket.AF_INET, KINDS[protocol]) as connection:
            connection.bind(("0.0.0.0", source_port))
            connection.settimeout(within)
            connection.connect((host, int(port)))
            said = (
                answered(connection, within)
                if protocol == "UDP"
                else greeted(connection, within)
                if who
                else b""
            )
    except TimeoutError:
        return {"reach": "filtered", "identity": ""}
    except OSError as error:
        return {"reach": ending(error), "identity": ""}
    return {"reach": "open", "identity": said.decode(errors="replace").strip() if who else ""}


def answered(connection: socket.socket, within: float, question: bytes = QUESTION) -> bytes:
    """Return the answer to a datagram that is sent again each second; raises TimeoutError if none comes."""
    end = time.monotonic() + within
    while True:
        connection.send(question)
        connection.settimeout(max(0.01, min(AGAIN, end - time.monotonic())))
        try:
            return connection.recv(512)
        except TimeoutError:
            if time.monotonic() >= end:
                raise


def greeted(connection: socket.socket, within: float) -> bytes:
    """Return what a connection is greeted with, nothing if that does not come."""
    connection.settimeout(max(SAYS, within))
    try:
        return connection.recv(256)
    except OSError:
        return b""
