"""When a check starts: while the machine gets on with those that run, and always one for each processor."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from boxproof.core import process
from boxproof.core.session import Session
from boxproof.core.settings import ADMITTED, within_a_check
from pytest_claims import pace
from pytest_claims.concurrency.scopes import DEADLINE, locked, try_lock
from pytest_claims.waiting import until

ROOM = 3.5  # times slower than an idle machine: from here on no further check starts
BUSY = 1.5  # times slower: from here on the effect of the last start is waited for
EFFECT = 3.0  # seconds until that shows
PLACES = 64  # as many checks at most


def directory_of(session: Session) -> Path:
    """Return where the places of checks are taken: the same for all runs on the session's cluster."""
    return session.locks / "admission"


@contextmanager
def admitted(directory: Path, *, timeout: float = DEADLINE) -> Iterator[None]:
    """Hold a place among the checks that run; it is free again whatever ends this process.

    Who comes first is served first. The commands of a check, and checks of runs that it starts, are admitted
    with it. Raises DeadlineExceeded after ``timeout`` seconds.
    """
    if within_a_check():
        yield
        return
    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        with locked(directory / "queue", fcntl.LOCK_EX, timeout):
            what = "room for one more check"
            place = until(lambda: _place(directory), timeout=timeout, what=what, every=0.25)
            stack.enter_context(place)
            (directory / "last").write_text(str(time.time()))
        stack.enter_context(process.passing_on(ADMITTED, "1"))
        yield


@contextmanager
def heavy(session: Session, *, timeout: float = DEADLINE) -> Iterator[None]:
    """Hold one of the few places for what keeps a machine busy: builds, loads, runs of their own.

    There is one for each processor. Take it inside a check for one operation, not around another wait
    for a lock. Raises DeadlineExceeded after ``timeout`` seconds.
    """
    if within_a_check():  # of a run that was started by a check, which holds the place
        yield
        return
    directory = directory_of(session)
    directory.mkdir(parents=True, exist_ok=True)
    names = [f"heavy-{number}" for number in range(_processors())]
    what = "a turn for what keeps the machine busy"
    with until(lambda: _free(directory, names), timeout=timeout, what=what):
        yield


def _place(directory: Path) -> IO[str] | None:
    """Take a place if there is room; the caller holds the queue, so nobody else looks at them."""
    running = [number for number in range(PLACES) if _taken(directory / f"place-{number}")]
    if len(running) >= _processors() and not _room(directory):
        return None
    return _free(directory, [f"place-{number}" for number in range(PLACES) if number not in running])


def _processors() -> int:
    """Return how many checks run whatever the load: one that is not ours may last for ever."""
    return max(1, int(pace.cores()))


def _room(directory: Path) -> bool:
    crowded = pace.now().crowded
    if crowded < BUSY:
        return True
    last = directory / "last"
    since = time.time() - last.stat().st_mtime if last.exists() else EFFECT
    return crowded < ROOM and not 0 <= since < EFFECT


def _taken(path: Path) -> bool:
    if not path.exists():
        return False
    held = try_lock(path)
    if held is None:
        return True
    held.close()
    return False


def _free(directory: Path, names: list[str]) -> IO[str] | None:
    return next((held for name in names if (held := try_lock(directory / name))), None)
