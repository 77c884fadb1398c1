"""DNS packets of the probe program's own: an answer code is told apart from silence."""

from __future__ import annotations

import argparse
import errno
import os
import socket
import struct
from pathlib import Path
from typing import Any

NO_ROUTE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL}
REFUSED = {errno.ECONNREFUSED, errno.ECONNRESET, errno.EPROTO}
FILTERED = {errno.ETIMEDOUT, errno.EPERM, errno.EACCES}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
CANNOT = {"TIMEOUT", "UNREACHABLE"}
Answer = dict[str, Any]
STATE = Path("/tmp/boxproof")  # what the probe program remembers between two questions


def ending(error: OSError) -> str:
    """Say what kind of failure an errno is; an unknown one is a fault of the probe."""
    for name, numbers in (("no route", NO_ROUTE), ("refused", REFUSED), ("filtered", FILTERED)):
        if error.errno in numbers:
            return name
    raise error


def resolve(asked: argparse.Namespace) -> Answer:
    """Ask the configured resolver, name by name of the search list, as the C library would."""
    servers, search, ndots = resolv_conf()
    server = asked.server or servers[0]
    name = asked.name.rstrip(".")
    names = [name] if asked.name.endswith(".") else [f"{name}.{each}" for each in search]
    if not asked.name.endswith("."):
        names = [name, *names] if name.count(".") >= ndots else [*names, name]
    found: Answer = {}
    for each in names:
        found = {"server": server, "asked": each, **once(server, each, asked)}
        if found["answers"] or found["rcode"] in CANNOT:
            break
    return found


def resolv_conf() -> tuple[list[str], list[str], int]:
    """Return servers, search list and ndots."""
    servers, search, ndots = [], [], 1
    for line in Path("/etc/resolv.conf").read_text().splitlines():
        words = line.split()
        if words[:1] == ["nameserver"]:
            servers.append(words[1])
        elif words[:1] == ["search"]:
            search = words[1:]
        elif words[:1] == ["options"]:
            for word in words[1:]:
                if word.startswith("ndots:"):
                    ndots = int(word[6:])
    return servers, search, ndots


def once(server: str, name: str, asked: argparse.Namespace) -> Answer:
    """Ask one server about the A records of one name; a lost datagram is sent once more."""
    number = int.from_bytes(os.urandom(2), "big")
    query = question(name, number)
    try:
        if asked.tcp:
            reply = dns_tcp(server, query, asked)
        else:
            try:
                reply = dns_udp(server, query, asked)
            except TimeoutError:
                reply = dns_udp(server, query, asked)
    except TimeoutError:
        return {"rcode": "TIMEOUT", "answers": []}
    except OSError as error:
        ending(error)
        return {"rcode": "UNREACHABLE", "answers": [], "why": str(error)}
    return parse(reply, number)


def question(name: str, number: int) -> bytes:
    """Return a query about the A records of a name; ``number`` comes back in the reply."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


def dns_udp(server: str, query: bytes, asked: argparse.Namespace) -> bytes:
    """Send a query as a datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(asked.within)
        sender.connect((server, asked.port))
        sender.send(query)
        return sender.recv(4096)


def dns_tcp(server: str, query: bytes, asked: argparse.Namespace) -> bytes:
    """Send a query over a connection."""
    with socket.create_connection((server, asked.port), timeout=asked.within) as connection:
        connection.sendall(struct.pack(">H", len(query)) + query)
        reader = connection.makefile("rb")
        (length,) = struct.unpack(">H", reader.read(2))
        return reader.read(length)


def parse(reply: bytes, number: int) -> Answer:
    """Return rcode and A records of a reply."""
    seen_number, flags, questions, answers = struct.unpack(">4H", reply[:8])
    if seen_number != number or not flags & 0x8000:
        raise ValueError("not an answer to the question")
    at = 12
    for _ in range(questions):
        at = skip_name(reply, at) + 4
    found = []
    for _ in range(answers):
        at = skip_name(reply, at)
        kind, _, _, length = struct.unpack(">HHIH", reply[at : at + 10])
        at += 10
        if kind == 1:
            found.append(socket.inet_ntoa(reply[at : at + 4]))
        at += length
    return {"rcode": RCODES.get(flags & 15, str(flags & 15)), "answers": sorted(found)}


def skip_name(reply: bytes, at: int) -> int:
    """Return where the name that starts at ``at`` ends."""
    while reply[at]:
        if reply[at] & 0xC0:
            return at + 2
        at += reply[at] + 1
    return at + 1
