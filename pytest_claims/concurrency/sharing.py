"""Who may do what in an instance that several workers use: commands side by side, a look at the whole alone.

Commands run in pods hold their instance's lock beside each other, on their own accord (``kube.exec`` does it
for whoever goes through it). Who looks at all processes, or changes what others rely on, holds it alone. The
locks are taken after those of ``scopes``, end with the process that holds them, and cannot wait in a circle:
who is alone in one instance enters no other, and who has entered one does not queue for the next.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pytest_claims.concurrency.scopes import DEADLINE, try_lock
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.own_process import PROCESS
from pytest_claims.waiting import NotYet, until

PATIENCE = 60.0  # seconds in which who wants to be alone lets newcomers pass
LOOK = 0.05  # seconds from one try at a lock to the next


@dataclass
class _Hold:
    """What this process holds of one instance's lock, whichever of its threads asked."""

    file: IO[str]
    alone: bool
    count: int = 1


class Sharing:
    """The locks of instances as one process holds them; a process runs one check at a time."""

    def __init__(self, *, timeout: float = DEADLINE, patience: float = PATIENCE) -> None:
        self.timeout = timeout
        self.patience = patience
        self._paths: dict[str, Path] = {}
        self._held: dict[str, _Hold] = {}
        self._taking = threading.RLock()

    def share(self, name: str, directory: Path) -> None:
        """Have instance ``name`` shared with the other processes that use ``directory`` for its lock."""
        directory.mkdir(parents=True, exist_ok=True)
        self._paths[name] = directory / name

    @contextmanager
    def entered(self, name: str) -> Iterator[None]:
        """Hold an instance beside others; one that nobody shares is free. Raises DeadlineExceeded."""
        with self._holding(name, alone=False):
            yield

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Hold an instance alone; one that nobody shares is so already.

        Raises DeadlineExceeded, and RuntimeError where this process could wait for itself: it has entered an
        instance already.
        """
        with self._holding(name, alone=True):
            yield

    @contextmanager
    def _holding(self, name: str, *, alone: bool) -> Iterator[None]:
        if name not in self._paths:
            yield
            return
        with self._taking:
            self._allow(name, alone=alone)
            hold = self._held.get(name)
            if hold is None:
                hold = self._held[name] = self._taken(self._paths[name], alone=alone)
            else:
                hold.count += 1
        try:
            yield
        finally:
            with self._taking:
                hold.count -= 1
                if not hold.count:
                    self._held.pop(name).file.close()

    def _allow(self, name: str, *, alone: bool) -> None:
        """Refuse what could end in a circle of processes that wait for each other."""
        single = next((each for each, hold in self._held.items() if hold.alone), name)
        if single != name:
            raise RuntimeError(f"who is alone in {single} cannot enter {name}")
        held = self._held.get(name)
        if alone and self._held and not (held and held.alone):
            raise RuntimeError(f"who has entered {', '.join(self._held)} cannot be alone in {name}")

    def _taken(self, path: Path, *, alone: bool) -> _Hold:
        if alone:
            return _Hold(self._locked_alone(path), alone)
        with ExitStack() as stack:
            if not self._held:
                stack.enter_context(self._turnstile(path))
            return _Hold(self._locked(path, fcntl.LOCK_SH), alone)

    def _locked_alone(self, path: Path) -> IO[str]:
        try:
            return self._locked(path, fcntl.LOCK_EX, self.patience)
        except DeadlineExceeded:  # from here on newcomers wait
            with self._turnstile(path):
                return self._locked(path, fcntl.LOCK_EX)

    def _turnstile(self, path: Path) -> IO[str]:
        return self._locked(path.with_name(f"{path.name}.turnstile"), fcntl.LOCK_EX)

    def _locked(self, path: Path, way: int, timeout: float | None = None) -> IO[str]:
        limit = self.timeout if timeout is None else timeout
        return until(lambda: _taken(path, way), timeout=limit, what=f"turn in {path.name}", every=LOOK)


def _taken(path: Path, way: int) -> IO[str]:
    held = try_lock(path, way)
    if held is None:
        raise NotYet("others hold it")
    return held


def instances() -> Sharing:
    """Return the locks that this process holds."""
    return PROCESS.get(Sharing)
