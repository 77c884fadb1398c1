"""A program of a hundred bytes that waits for ever: what holds a container of any image, also of none."""

from __future__ import annotations

import platform
import struct

PATH = "/boxproof-idle"
BASE = 0x400000  # where the file is mapped
HEADERS = 64 + 56  # of an ELF file and of its one segment
# pause() again and again; ppoll() without an end where there is no pause
CODE = {
    "x86_64": (62, bytes.fromhex("b8220000000f05ebf7")),
    "aarch64": (183, bytes.fromhex("280980d2000080d2010080d2020080d2030080d2010000d4faffff17")),
}
NAMES = {"arm64": "aarch64", "amd64": "x86_64"}


def idle_program(machine: str = "") -> bytes:
    """Return the program, as an ELF file, for a kind of processor (this machine's); raises KeyError."""
    name = (machine or platform.machine()).lower()
    number, code = CODE[NAMES.get(name, name)]
    size = HEADERS + len(code)
    ident = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8)
    head = struct.pack("<HHIQQQIHHHHHH", 2, number, 1, BASE + HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, size, size, 0x1000)
    return ident + head + segment + code
