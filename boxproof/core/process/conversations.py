"""Commands that are talked with while they run, on a terminal of their own if asked."""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO

from boxproof.core.process.endings import KILL_AFTER, Commands, end_group
from boxproof.core.process.running import CommandTimedOut, Result, spawn
from pytest_claims.own_process import PROCESS


class Started:
    """A process under way; what it writes is gathered, and on a terminal both outputs are one."""

    def __init__(self, process: subprocess.Popen[bytes], words: tuple[str, ...], terminal: int = -1) -> None:
        self.process = process
        self.terminal = terminal
        self._words = words
        self._began = time.monotonic()
        self._said = {"out": bytearray(), "err": bytearray()}
        streams = {"out": process.stdout, "err": process.stderr}
        if terminal >= 0:
            streams = {"out": os.fdopen(os.dup(terminal), "rb", buffering=0)}
        self._readers = [
            threading.Thread(target=self._gather, args=(stream, self._said[name]), daemon=True)
            for name, stream in streams.items()
        ]
        for each in self._readers:
            each.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def said(self) -> str:
        """What it wrote to standard output (or its terminal) so far."""
        return self._said["out"].decode(errors="replace")

    @property
    def complained(self) -> str:
        """What it wrote to standard error so far; nothing on a terminal."""
        return self._said["err"].decode(errors="replace")

    def write(self, text: str) -> None:
        """Write to its standard input, or type at its terminal."""
        if self.terminal >= 0:
            os.write(self.terminal, text.encode())
        elif self.process.stdin is not None:
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it alone; one that has ended is fine."""
        self.process.send_signal(number)

    def resize(self, rows: int, columns: int) -> None:
        """Change the size of its terminal."""
        _resize(self.terminal, (rows, columns))

    def wait(self, timeout: float) -> Result:
        """Return its end within ``timeout`` seconds; raises CommandTimedOut."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            text = f"no end within {timeout:.0f} s: {shlex.join(self._words)}; last: {self.said[-300:]}"
            raise CommandTimedOut(text) from None
        for each in self._readers:
            each.join(KILL_AFTER if self.terminal < 0 else 0.2)
        seconds = time.monotonic() - self._began
        return Result(self._words, self.process.returncode, self.said, self.complained, seconds)

    def close(self) -> None:
        """Close its standard input."""
        if self.process.stdin is not None:
            with suppress(BrokenPipeError):
                self.process.stdin.close()

    def _gather(self, stream: IO[bytes] | None, into: bytearray) -> None:
        assert stream is not None
        with stream, suppress(OSError):  # a terminal whose other end is closed
            while chunk := os.read(stream.fileno(), 65536):
                into += chunk


def _resize(terminal: int, size: tuple[int, int]) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))


@contextmanager
def started(
    argv: Sequence[str | os.PathLike[str]],
    *,
    env: Mapping[str, str] | None = None,
    terminal: bool = False,
    size: tuple[int, int] = (24, 80),
) -> Iterator[Started]:
    """Start ``argv`` with its input open, on a ``terminal`` of its own if asked; it is ended with the block.

    ``size`` are the terminal's rows and columns. Raises EnvironmentFault if it cannot start.
    """
    words = tuple(os.fspath(word) for word in argv)
    if not terminal:
        made = Started(spawn(words, None, env, subprocess.PIPE, subprocess.PIPE, subprocess.PIPE), words)
    else:
        ours, theirs = os.openpty()
        _resize(ours, size)  # before anybody is there to be told of it
        name = os.ttyname(theirs)
        opened = ("sh", "-c", 'exec <>"$0" >&0 2>&0; exec "$@"', name, *words)  # a leader's first terminal
        process = spawn(opened, None, env, subprocess.DEVNULL, subprocess.DEVNULL, subprocess.DEVNULL)
        made = Started(process, words, ours)
    PROCESS.get(Commands).under_way.add(made.process)
    try:
        yield made
    finally:
        PROCESS.get(Commands).under_way.discard(made.process)
        if made.process.poll() is None:
            end_group(made.process, grace=2.0)
        if terminal:
            os.close(theirs)
            os.close(ours)
        made.close()
