"""The embedded engine beside the machine's own network: its bridge, its addresses, what it leaves changed.

It can live beside another engine; what an engine changes of the machine is noted before, and restored when
it ends.
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import re
import socket
import struct
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from boxproof.core.process import run
from boxproof.host import process_table
from boxproof.host.fetch.apt import digest
from pytest_claims import progress as log
from pytest_claims.faults import EnvironmentFault

ADD_BRIDGE, DELETE_BRIDGE = 0x89A0, 0x89A1  # linux/sockios.h
SET_FLAGS, SET_ADDRESS, SET_MASK = 0x8914, 0x8916, 0x891C
UP = 1
ROUTES = Path("/proc/net/route")
OTHERS = (*(f"172.{each}.0.0/16" for each in range(31, 17, -1)), "192.168.0.0/16")
FIRST, COUNT = 128, 96  # 10.128.0.0/16 and up: clear of the pod and service ranges of KIND
SYSCTLS = (
    "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables",
)  # fmt: skip
PROC = Path("/proc/sys")
POLICY = re.compile(r"-P FORWARD (ACCEPT|DROP)")
DAEMON = "dockerd"


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


def note(path: Path, iptables: Path, *, proc: Path = PROC) -> None:
    """Write what the machine has now, unless that was noted before an engine that is not ended yet."""
    if path.exists():
        return
    found = {name: text for name in SYSCTLS if (text := _read(proc / name)) is not None}
    path.write_text(json.dumps({"sysctls": found, "iptables": str(iptables), "forward": _policy(iptables)}))


def restore(path: Path, *, proc: Path = PROC) -> list[str]:
    """Put back what was noted, and return what that changed; nothing while another engine runs."""
    try:
        noted = json.loads(path.read_text())
    except (OSError, ValueError):
        return []
    if others := process_table.of_program(DAEMON):
        log.say(f"another engine runs (process {others[0]}): the machine's forwarding stays as it is")
        return []
    changed = _restored(noted.get("sysctls", {}), proc)
    wanted, iptables = noted.get("forward", ""), Path(noted.get("iptables", ""))
    if wanted and _policy(iptables) not in ("", wanted):
        run([iptables, "-P", "FORWARD", wanted], timeout=20, check=False)
        changed.append(f"FORWARD {wanted}")
    path.unlink()
    return changed


def _restored(noted: Mapping[str, str], proc: Path) -> list[str]:
    changed = []
    for name, value in noted.items():
        if _read(proc / name) not in (None, value):
            with suppress(OSError):  # read-only, in a container
                (proc / name).write_text(value)
                changed.append(f"{name} {value}")
    return changed


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _policy(iptables: Path) -> str:
    """Return the policy of the chain FORWARD, "" where it cannot be told."""
    if not iptables.is_file():
        return ""
    done = run([iptables, "-S", "FORWARD"], timeout=20, check=False)
    found = POLICY.search(done.stdout)
    return found[1] if found else ""
