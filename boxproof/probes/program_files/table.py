"""Many listeners at once, and many connections at once: what a table of connections is filled from."""

from __future__ import annotations

import argparse
import os
import selectors
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from boxproof.probes.program_files.dns import STATE, Answer, ending

WORKERS = 32
SAYS = 5.0  # seconds until who was connected to says who it is
KINDS = {"TCP": socket.SOCK_STREAM, "UDP": socket.SOCK_DGRAM}


def expose(asked: argparse.Namespace) -> Answer:
    """Listen on every port, over TCP and UDP, in the background; all are answered with the token."""
    waiting = selectors.DefaultSelector()
    for port in asked.ports:
        for kind in KINDS.values():
            server = socket.socket(socket.AF_INET, kind)
            if kind == socket.SOCK_STREAM:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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
                    server.sendto(answer, server.recvfrom(2048)[1])
                else:
                    connection = server.accept()[0]
                    connection.sendall(answer)
                    connection.close()
            except OSError:
                continue


def sweep(asked: argparse.Namespace) -> Answer:
    """Try every HOST:PORT/PROTOCOL and say how each ended and who answered."""
    with ThreadPoolExecutor(WORKERS) as pool:
        ends = list(pool.map(lambda each: attempt(each, asked.within), asked.targets))
    return {"ends": [{"target": target, **end} for target, end in zip(asked.targets, ends, strict=True)]}


def attempt(target: str, within: float) -> dict[str, str]:
    """Try one; a datagram has to be answered to count, a connection only to be there."""
    place, _, protocol = target.partition("/")
    host, _, port = place.rpartition(":")
    try:
        with socket.socket(socket.AF_INET, KINDS[protocol]) as connection:
            connection.settimeout(within)
            connection.connect((host, int(port)))
            if protocol == "UDP":
                connection.send(b"who\n")
            return {"reach": "open", "identity": said(connection, protocol)}
    except TimeoutError:
        return {"reach": "filtered", "identity": ""}
    except OSError as error:
        return {"reach": ending(error), "identity": ""}


def said(connection: socket.socket, protocol: str) -> str:
    """Return who answered; over TCP silence is an answer too."""
    if protocol == "TCP":
        connection.settimeout(SAYS)
    try:
        return connection.recv(256).decode(errors="replace").strip()
    except OSError:
        if protocol == "UDP":
            raise
        return ""
