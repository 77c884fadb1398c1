"""Hands on what the CLI writes, and notices when it says that the API refused the login.

The CLI writes what others had it write. Its pipe is read to the end whatever that is, or it would stand
still; and no line of it can be taken for one of the box's own.
"""

import json
import os
import threading
from collections.abc import Callable
from typing import IO

from login import tells_of_refusal
from logs import log, write

TAIL = 256  # bytes kept, since what is looked for can lie across two reads
LONGEST = 1 << 20  # bytes of a line that is looked at as one
SOURCE = "claude"  # what the box's own lines do not have


class Relay(threading.Thread):
    """Copies one stream of the CLI to ``sink``; ``refused`` is called once, when the login is refused."""

    def __init__(self, source: IO[bytes], sink: Callable[[bytes], None], refused: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.source = source
        self.sink = sink
        self.refused = refused
        self.failed = False

    def run(self) -> None:
        """Copy until the stream ends; what cannot be handed on is still read."""
        tail, told = b"", False
        while part := os.read(self.source.fileno(), 65536):
            self._try(self.sink, part)
            if not told and tells_of_refusal(tail + part):
                told = True
                self._try(self.refused)
            tail = (tail + part)[-TAIL:]
        self._try(self.sink, b"")

    def _try(self, what: Callable[..., None], *given: bytes) -> None:
        try:
            what(*given)
        except Exception as error:  # whatever it is, and told once: the next read may give the same
            if not self.failed:
                self.failed = True
                log(f"what the CLI wrote cannot be handed on: {type(error).__name__}: {error}", "error")


def as_it_is(number: int) -> Callable[[bytes], None]:
    """Return a sink that writes to a file descriptor, byte for byte."""

    def write(part: bytes) -> None:
        while part:
            part = part[os.write(number, part) :]

    return write


def marked(number: int) -> Callable[[bytes], None]:
    """Return a sink that writes to a file descriptor at once, but a line that may be JSON when it is whole.

    One that is an object gets ``source``, as only lines of the CLI have it.
    """
    out, kept, within = as_it_is(number), b"", False  # within a line that has begun as something else

    def write(part: bytes) -> None:
        nonlocal kept, within
        for line in part.splitlines(keepends=True) or [b""]:
            kept += line
            over = not part or line.endswith((b"\n", b"\r")) or len(kept) > LONGEST
            if within or (not over and kept.strip()[:1] not in (b"", b"{")):
                out(kept)
                kept, within = b"", not over
            elif over:
                out(_with_source(kept))
                kept, within = b"", not kept.endswith((b"\n", b"\r"))

    return write


def as_json() -> Callable[[bytes], None]:
    """Return a sink that logs every line."""
    left = b""

    def write(part: bytes) -> None:
        nonlocal left
        *lines, left = (left + part).split(b"\n")
        if not part or len(left) > LONGEST:  # the end, of all or of what is looked at as one line
            lines, left = [*lines, left], b""
        for line in filter(None, (each.strip() for each in lines)):
            _log(line)

    return write


def _log(line: bytes) -> None:
    if (found := _object(line)) is None:
        log(line.decode(errors="replace"), "warning", source=SOURCE)
    else:
        write(found)


def _with_source(line: bytes) -> bytes:
    """Return a line that nobody takes for one of the box's: what is no object here may be one elsewhere."""
    if (found := _object(line)) is not None:
        return found.encode() + b"\n"
    return f"{SOURCE}: ".encode() * line.lstrip().startswith(b"{") + line


def _object(line: bytes) -> str | None:
    """Return a line that is a JSON object with where it comes from, None if it is none."""
    try:
        found = json.loads(line)
        return json.dumps(found | {"source": SOURCE}, allow_nan=False) if isinstance(found, dict) else None
    except (ValueError, RecursionError):
        return None
