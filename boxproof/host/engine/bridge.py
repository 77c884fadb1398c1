"""The embedded engine's own bridge and addresses, so that it can live beside another engine."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

from boxproof.host.fetch.apt import digest
from pytest_claims.faults import EnvironmentFault

ADD_BRIDGE, DELETE_BRIDGE = 0x89A0, 0x89A1  # linux/sockios.h
SET_FLAGS, SET_ADDRESS, SET_MASK = 0x8914, 0x8916, 0x891C
UP = 1
ROUTES = Path("/proc/net/route")
OTHERS = (*(f"172.{each}.0.0/16" for each in range(31, 17, -1)), "192.168.0.0/16")
FIRST, COUNT = 128, 96  # 10.128.0.0/16 and up: clear of the pod and service ranges of KIND


def bridge_name(state: Path) -> str:
    """Return the bridge name of the engine that lives in ``state``; at most 15 characters."""
    return f"bp-{digest(str(state))[:8]}"


def pool(state: Path, taken: Iterable[ipaddress.IPv4Network]) -> ipaddress.IPv4Network:
    """Return a /16 for the engine in ``state`` that overlaps none of ``taken``; raises EnvironmentFault."""
    start = int(digest(str(state)), 16) % COUNT
    used = list(taken)
    tens = (f"10.{FIRST + (start + step) % COUNT}.0.0/16" for step in range(COUNT))
    for text in (*tens, *OTHERS):  # a private network of somebody's may be all of 10
        network = ipaddress.IPv4Network(text)
        if not any(network.overlaps(each) for each in used):
            return network
    raise EnvironmentFault("no free private network for the engine", hint="remove unused networks")


def routes(table: Path = ROUTES) -> list[ipaddress.IPv4Network]:
    """Return the networks this machine has routes to, the default route left out."""
    found = []
    for line in table.read_text().splitlines()[1:] if table.exists() else []:
        fields = line.split()
        address, mask = (struct.pack("<I", int(fields[each], 16)) for each in (1, 7))
        bits = int.from_bytes(mask, "big").bit_count()
        if bits:
            found.append(ipaddress.IPv4Network((int.from_bytes(address, "big"), bits), strict=False))
    return found


def add_bridge(name: str, address: ipaddress.IPv4Interface) -> None:
    """Have the bridge ``name`` up with ``address``; raises EnvironmentFault."""
    label = name.encode()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            if name not in interfaces():
                fcntl.ioctl(control, ADD_BRIDGE, label + b"\0")
            fcntl.ioctl(control, SET_ADDRESS, _request(label, address.ip))
            fcntl.ioctl(control, SET_MASK, _request(label, address.netmask))
            fcntl.ioctl(control, SET_FLAGS, struct.pack("16sH14x", label, UP))
    except OSError as error:
        hint = "is the bridge module there, and CAP_NET_ADMIN?"
        raise EnvironmentFault(f"cannot make the bridge {name}: {error.strerror}", hint=hint) from error


def _request(label: bytes, address: ipaddress.IPv4Address) -> bytes:
    return struct.pack("16sHH4s8x", label, socket.AF_INET, 0, address.packed)


def remove_bridge(name: str) -> None:
    """Take the bridge ``name`` down and away, if it is there."""
    if name not in interfaces():
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SET_FLAGS, struct.pack("16sH14x", name.encode(), 0))
        fcntl.ioctl(control, DELETE_BRIDGE, name.encode() + b"\0")


def interfaces() -> list[str]:
    """Return the names of this machine's network interfaces."""
    return [name for _, name in socket.if_nameindex()]
