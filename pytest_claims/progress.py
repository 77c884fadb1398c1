"""Progress on standard error: nested, timed steps; a spinner on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from pytest_claims.recording import redaction

if TYPE_CHECKING:
    from rich.console import Console

_unread: list[bool] = []
_local = threading.local()
_sinks: list[Callable[[str, float], None]] = []


def on_step(sink: Callable[[str, float], None]) -> None:
    """Have ``sink(name, seconds)`` called at the end of every step (for ``timings``)."""
    _sinks.append(sink)


@cache
def _console() -> Console:
    """Return the console; rich is imported when the first line is said, not for a usage error."""
    from rich.console import Console

    class Output(Console):
        """Standard error; a reader that has gone is an OSError like any other."""

        def on_broken_pipe(self) -> None:
            """Raise it instead of ending the process in the midst of a clean-up."""
            raise BrokenPipeError("nobody reads standard error")

    return Output(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def say(text: str, *, style: str | None = None) -> None:
    """Print one line of progress at the depth of the current step."""
    try:
        _console().print("  " * _depth() + redaction.text(text), style=style, markup=False)
    except OSError:
        if not _unread:
            raise


@contextmanager
def step(name: str) -> Iterator[Callable[[str], None]]:
    """Announce a step and print its time at the end; gives a function for its latest detail.

    On a terminal a spinner shows the detail; elsewhere one plain line is printed each ten seconds.
    """
    say(f"{name} …")
    started = time.monotonic()
    _local.depth = _depth() + 1
    report, close = _live(name) if _console().is_terminal and _depth() == 1 else _plain()
    outcome = "failed after"
    try:
        yield report
        outcome = "done in"
    finally:
        close()
        _local.depth = _depth() - 1
        seconds = time.monotonic() - started
        say(f"{name}: {outcome} {seconds:.1f} s", style="red" if outcome[0] == "f" else None)
        took(name, seconds)


def took(name: str, seconds: float) -> None:
    """Tell the sinks of ``on_step`` about a step that somebody else took, without a line of progress."""
    for sink in _sinks:
        sink(name, seconds)


def _depth() -> int:
    return int(getattr(_local, "depth", 0))


def _live(name: str) -> tuple[Callable[[str], None], Callable[[], None]]:
    status = _console().status(name)
    status.start()
    return lambda text: status.update(f"{name}: {redaction.text(text)[-120:]}"), status.stop


def _plain() -> tuple[Callable[[str], None], Callable[[], None]]:
    last = time.monotonic()

    def report(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= 10:
            last = time.monotonic()
            say(redaction.text(text)[-200:])

    return report, lambda: None


def fail(message: str, hint: str = "") -> None:
    """Print a one-line error, with the next step in brackets."""
    try:
        told = f"boxproof: {message}" + (f" ({hint})" if hint else "")
        print(redaction.text(told), file=sys.stderr, flush=True)
    except OSError:
        if not _unread:
            raise


def unread_is_fine() -> None:
    """From now on nothing breaks because the terminal or the pipe we print to is gone: we are cleaning up."""
    _unread.append(True)
