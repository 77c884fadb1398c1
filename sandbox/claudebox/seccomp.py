"""The system call filter: what namespaces and capabilities leave open."""

from __future__ import annotations

import os
import struct

from claudebox.errors import Problem

EPERM, AFNOSUPPORT = 1, 97
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
LOAD, EQUAL, AT_LEAST, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
NUMBER, ARCHITECTURE, FIRST, SECOND = 0, 4, 16, 24  # offsets in struct seccomp_data; the arguments' low words
X32 = 0x40000000
TIOCSTI, TIOCLINUX = 0x5412, 0x541C  # put input into the terminal of the host
FAMILIES = (1, 2, 10, 16)  # unix, inet, inet6, netlink: network namespaces do not hold the others (vsock)
# machine: (AUDIT_ARCH, ioctl, socket, add_key, request_key, keyctl); io_uring has one number everywhere
MACHINES = {
    "x86_64": (0xC000003E, 16, 41, 248, 249, 250),
    "aarch64": (0xC00000B7, 29, 198, 217, 218, 219),
}
IO_URING = (425, 426, 427)  # makes sockets past a filter


def program(machine: str = "") -> bytes:
    """Return the filter for this machine as bwrap takes it; raises Problem for an unknown one."""
    machine = machine or os.uname().machine
    if machine not in MACHINES:
        known = ", ".join(MACHINES)
        raise Problem(f"no system call filter for machine {machine!r}", f"claudebox knows {known}")
    arch, ioctl, socket, *keys = MACHINES[machine]
    lines: list[tuple[int, str, str, int]] = [
        (LOAD, "", "", ARCHITECTURE),
        (EQUAL, "", "denied", arch),
        (LOAD, "", "", NUMBER),
        (AT_LEAST, "denied", "", X32),
    ]
    lines += [(EQUAL, "denied", "", each) for each in (*keys, *IO_URING)]
    lines += [(EQUAL, "ioctl", "", ioctl), (EQUAL, "socket", "allowed", socket)]
    labels = {"socket": len(lines)}
    lines += [(LOAD, "", "", FIRST)]
    lines += [(EQUAL, "allowed", "", each) for each in FAMILIES]
    lines += [(RETURN, "", "", ERRNO | AFNOSUPPORT)]
    labels["ioctl"] = len(lines)
    lines += [(LOAD, "", "", SECOND)]
    lines += [(EQUAL, "denied", "", each) for each in (TIOCSTI, TIOCLINUX)]
    labels["allowed"] = len(lines)
    labels["denied"] = len(lines) + 1
    lines += [(RETURN, "", "", ALLOW), (RETURN, "", "", ERRNO | EPERM)]
    return b"".join(_packed(at, *each, labels) for at, each in enumerate(lines))


def _packed(at: int, code: int, yes: str, no: str, value: int, labels: dict[str, int]) -> bytes:
    steps = [labels[each] - at - 1 if each else 0 for each in (yes, no)]
    return struct.pack("=HBBI", code, *steps, value)
