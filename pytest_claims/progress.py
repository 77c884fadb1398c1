"""Progress on standard error: nested, timed steps; a spinner on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_claims.own_process import PROCESS
from pytest_claims.recording import redaction
from pytest_claims.recording.printing import printable

if TYPE_CHECKING:
    from rich.console import Console

LONG = 500  # characters of an error, and of its hint
TOLD = 20.0  # seconds: of a step that takes longer it is said how long it took the last time


class Steps(threading.local):
    """How deep this thread is in steps of its own."""

    depth: int | None = None


class Progress:
    """What this process says of its progress, to whom, and what it knows of its steps."""

    def __init__(self) -> None:
        self.unread = False  # nothing breaks where nobody reads
        self.steps = Steps()
        self.open: list[str] = []  # of the main thread; other threads speak within them
        self.usual: dict[str, float] = {}
        self.guessed: dict[str, float] = {}
        self.planned: tuple[str, ...] = ()
        self.sinks: list[Callable[[str, float], None]] = []

    @cached_property
    def console(self) -> Console:
        """Standard error; rich is imported when the first line is said, not for a usage error."""
        from rich.console import Console

        class Output(Console):
            """A reader that has gone is an OSError like any other."""

            def on_broken_pipe(self) -> None:
                """Raise it instead of ending the process in the midst of a clean-up."""
                raise BrokenPipeError("nobody reads standard error")

        return Output(stderr=True, highlight=False, soft_wrap=True, emoji=False)

    @property
    def depth(self) -> int:
        """How many steps are around what this thread says now."""
        return len(self.open) if self.steps.depth is None else self.steps.depth


def on_step(sink: Callable[[str, float], None]) -> None:
    """Have ``sink(name, seconds)`` called at the end of every step (for ``timings``)."""
    PROCESS.get(Progress).sinks.append(sink)


def expect(seconds: Mapping[str, float]) -> None:
    """Have steps say beforehand how long they took the last time: ``seconds`` by their names."""
    PROCESS.get(Progress).usual.update(seconds)


def foresee(seconds: Mapping[str, float]) -> None:
    """Have steps say about how long they will take, where that is not what they took the last time."""
    PROCESS.get(Progress).guessed.update(seconds)


def plan(names: Sequence[str]) -> None:
    """Number the outermost steps of these names, in their order: "step 2 of 12: engine".

    What was foreseen of another plan's is forgotten.
    """
    progress = PROCESS.get(Progress)
    progress.planned = tuple(names)
    progress.guessed.clear()


def reach(name: str) -> None:
    """Announce a planned step that tells of itself how far it is and how long it takes."""
    say(_announced(name), style="bold")


def _announced(name: str) -> str:
    """Return the line that begins a step: its number, how long it takes, how long it and the rest take."""
    progress = PROCESS.get(Progress)
    label, told = _label(name), []
    guess, usual = progress.guessed.get(name), progress.usual.get(name, 0.0)
    if guess is not None and guess >= TOLD:
        told.append(_about(guess))
    elif guess is None and usual >= TOLD:
        told.append(f"{duration(usual)} the last time")
    if label != name:
        ahead = progress.planned[progress.planned.index(name) :]
        left = sum(progress.guessed.get(each, progress.usual.get(each, 0.0)) for each in ahead)
        if left - progress.guessed.get(name, usual) >= TOLD:
            told.append(f"{_about(left)} left")
    return f"{label} …" + (f" ({'; '.join(told)})" if told else "")


def _about(seconds: float) -> str:
    """Return an estimate, no more exact than it can be."""
    shown = seconds if seconds < 120 else 60.0 * round(seconds / 60)
    return f"about {duration(shown).removesuffix(' 0 s')}"


def _label(name: str) -> str:
    """Return the name of a step, with its number where it is one of the plan's."""
    progress = PROCESS.get(Progress)
    if progress.depth or name not in progress.planned:
        return name
    return f"step {progress.planned.index(name) + 1} of {len(progress.planned)}: {name}"


def duration(seconds: float) -> str:
    """Return seconds for people: 9.6 s, 48 s, 52 min 36 s, 1 h 4 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def say(text: str, *, style: str | None = None) -> None:
    """Print one line of progress at the depth of the current step, with the time where no one looks on."""
    progress = PROCESS.get(Progress)
    console = progress.console
    clean = printable(redaction.text(text), "\n\t")
    stamp = "" if console.is_terminal or not text else f"{datetime.now():%H:%M:%S} "
    try:
        console.print(stamp + "  " * progress.depth + clean, style=style, markup=False)
    except OSError:
        if not progress.unread:
            raise


@contextmanager
def step(name: str) -> Iterator[Callable[[str], None]]:
    """Announce a step and print its time at the end; gives a function for its latest detail.

    On a terminal a spinner shows the detail; elsewhere one plain line is printed each ten seconds.
    """
    progress = PROCESS.get(Progress)
    label = _label(name)
    say(_announced(name))
    started = time.monotonic()
    main = threading.current_thread() is threading.main_thread()
    outer = progress.depth
    progress.steps.depth = outer + 1
    if main:
        progress.open.append(label)
    report, close = _live(label, started) if progress.console.is_terminal and outer == 0 else _plain()
    outcome = "failed after"
    try:
        yield report
        outcome = "done in"
    finally:
        close()
        if main:
            progress.open.pop()
        progress.steps.depth = outer
        seconds = time.monotonic() - started
        say(f"{label}: {outcome} {duration(seconds)}", style="red" if outcome[0] == "f" else None)
        took(name, seconds)


def took(name: str, seconds: float) -> None:
    """Tell the sinks of ``on_step`` about a step that somebody else took, without a line of progress."""
    for sink in PROCESS.get(Progress).sinks:
        sink(name, seconds)


def _live(name: str, started: float) -> tuple[Callable[[str], None], Callable[[], None]]:
    from rich.text import Text

    last, progress = "", PROCESS.get(Progress)

    class Line:
        """The steps under way, how long the first of them has taken, and its latest detail."""

        def __rich__(self) -> Text:
            steps = " > ".join(progress.open) or name
            line = f"{steps} {duration(time.monotonic() - started)}{f': {last}' if last else ''}"
            return Text(line, no_wrap=True, overflow="ellipsis")

    def report(text: str) -> None:
        nonlocal last
        last = printable(redaction.text(text))[-120:]

    status = progress.console.status(Line())
    status.start()
    return report, status.stop


def _plain() -> tuple[Callable[[str], None], Callable[[], None]]:
    last = time.monotonic()

    def report(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= 10:
            last = time.monotonic()
            say(redaction.text(text)[-200:])

    return report, lambda: None


def fail(message: str, hint: str = "", *more: str) -> None:
    """Print a one-line error, with the next step in brackets, and ``more`` lines of what was found.

    Nowhere else where standard error is closed.
    """
    told = f"boxproof: {shown(message)}" + (f" ({shown(hint)})" if hint else "")
    told = "\n".join([told, *map(shown, more)])
    try:
        if sys.stderr:
            print(told, file=sys.stderr, flush=True)
    except OSError:
        if not PROCESS.get(Progress).unread:
            raise


def shown(text: str) -> str:
    """Return a text without secrets, in one line whatever names are in it, and no longer than one reads."""
    line = printable(redaction.text(text))  # before it is cut
    return line if len(line) <= LONG else f"{line[:LONG]}…"


def answer(text: str, *, as_json: bool = False) -> None:
    """Print what was asked for on standard output; a reader who has seen enough is no fault.

    What the encoding there has no character for is escaped, and what would tell a terminal to do something:
    names of others' are in it. Raises OSError, of a full disk too.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        print(printable(text, "\n\t", encoding, as_json=as_json), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def let_go() -> None:
    """Have what was printed go out, or nowhere: Python's own end would be another line and another code."""
    for each in filter(None, (sys.stdout, sys.stderr)):  # None where it was closed
        try:
            each.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), each.fileno())


def unread_is_fine() -> None:
    """From now on nothing breaks because the terminal or the pipe we print to is gone: we are cleaning up."""
    PROCESS.get(Progress).unread = True
