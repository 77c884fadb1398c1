"""The end of commands under way, and what this process does when it is told to end."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from pytest_claims.own_process import PROCESS, Told

KILL_AFTER = 5.0  # seconds between TERM and KILL for a command that overran
DEAF = 2.0  # seconds a command under way gets to end after TERM once its run was told to
Process = subprocess.Popen[bytes]


@dataclass
class Commands:
    """The commands under way in this process, and what it does when it is told to end."""

    under_way: set[Process] = field(default_factory=set)
    when_told: Callable[[], None] | None = None
    undisturbed: list[bool] = field(default_factory=list)  # one for each block; the first notes a signal


def when_told(act: Callable[[], None]) -> None:
    """Have ``act()`` called once when this process is told to end; ``tell`` does nothing without it."""
    PROCESS.get(Told).clear()
    PROCESS.get(Commands).when_told = act


def tell() -> bool:
    """Note that this process was told to end; return whether KeyboardInterrupt is to be raised for it now.

    From then on only the main thread, which cleans up, may start commands or wait; see ``still_wanted``.
    """
    told, commands = PROCESS.get(Told), PROCESS.get(Commands)
    if told.is_set():
        return False
    if commands.when_told is not None:
        told.set()
        commands.when_told()
    if commands.undisturbed:
        commands.undisturbed[0] = True
        return False
    end_all()
    return True


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold back the KeyboardInterrupt of a signal until the end of the block: it is the clean-up itself."""
    blocks = PROCESS.get(Commands).undisturbed
    blocks.append(False)
    try:
        yield
    finally:
        late = blocks.pop()
    if late:
        raise KeyboardInterrupt


def end_all() -> None:
    """TERM every command under way, KILL the deaf ones: threads that wait for them would hold up the end."""
    under_way = PROCESS.get(Commands).under_way
    live = list(under_way)
    signal_groups(live, signal.SIGTERM)
    later = threading.Timer(
        DEAF, lambda: signal_groups([each for each in live if each in under_way], signal.SIGKILL)
    )
    later.daemon = True
    later.start()


def signal_groups(processes: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    """Send a signal to the process group of each; one that has ended is fine."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def end_group(process: subprocess.Popen[bytes], *, grace: float = KILL_AFTER) -> None:
    """TERM the process group of ``process``, then KILL what is left after ``grace`` seconds."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            continue
    process.wait()
