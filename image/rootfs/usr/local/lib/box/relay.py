"""Hands on what the CLI writes, and notices when it says that the API refused the login."""

import json
import os
import threading
from collections.abc import Callable
from typing import IO

from login import tells_of_refusal
from logs import log, write

TAIL = 256  # bytes kept, since what is looked for can lie across two reads


class Relay(threading.Thread):
    """Copies one stream of the CLI to ``sink``; ``refused`` is called once, when the login is refused."""

    def __init__(self, source: IO[bytes], sink: Callable[[bytes], None], refused: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.source = source
        self.sink = sink
        self.refused = refused

    def run(self) -> None:
        """Copy until the stream ends."""
        tail, told = b"", False
        while part := os.read(self.source.fileno(), 65536):
            self.sink(part)
            if not told and tells_of_refusal(tail + part):
                told = True
                self.refused()
            tail = (tail + part)[-TAIL:]
        self.sink(b"")


def as_it_is(number: int) -> Callable[[bytes], None]:
    """Return a sink that writes to a file descriptor, byte for byte."""

    def write(part: bytes) -> None:
        while part:
            part = part[os.write(number, part) :]

    return write


def as_json() -> Callable[[bytes], None]:
    """Return a sink that logs every line; what is JSON already stays as it is."""
    left = b""

    def write(part: bytes) -> None:
        nonlocal left
        *lines, left = (left + part).split(b"\n")
        if not part:  # the end
            lines, left = [left], b""
        for line in filter(None, (each.strip() for each in lines)):
            _log(line.decode(errors="replace"))

    return write


def _log(line: str) -> None:
    try:
        known = isinstance(json.loads(line), dict)
    except ValueError:
        known = False
    if known:
        write(line)
    else:
        log(line, "warning", source="claude")
