"""Who may run beside whom: checks of scope "cluster" have the cluster to themselves."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Literal, get_args

from pytest_claims.faults import UsageError, nearest
from pytest_claims.waiting import until

Scope = Literal["image", "instance", "cluster", "host"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
DEADLINE = 1800.0  # seconds a check waits for the others' current checks


def checked(name: str) -> Scope:
    """Return ``name`` as a scope; raises UsageError for an unknown one."""
    for each in SCOPES:
        if each == name:
            return each
    raise UsageError(f"unknown scope {name!r}", hint=nearest(name, SCOPES))


@contextmanager
def entered(directory: Path, scope: Scope, *, timeout: float = DEADLINE) -> Iterator[None]:
    """Hold the lock of ``scope``: alone for "cluster", beside others for "instance".

    Scopes "image" and "host" do not touch the cluster. Raises DeadlineExceeded.
    """
    with ExitStack() as stack:
        if scope in {"cluster", "instance"}:
            directory.mkdir(parents=True, exist_ok=True)
            way = fcntl.LOCK_EX if scope == "cluster" else fcntl.LOCK_SH
            with ExitStack() as turnstile:  # keeps newcomers out while one waits to be alone
                turnstile.enter_context(locked(directory / "turnstile", fcntl.LOCK_EX, timeout))
                stack.enter_context(locked(directory / "cluster", way, timeout))
        yield


def try_lock(path: Path, way: int = fcntl.LOCK_EX) -> IO[str] | None:
    """Return ``path`` opened and locked, None if others hold it; closing it, or our end, lets go."""
    file = path.open("a")
    try:
        fcntl.flock(file, way | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


@contextmanager
def locked(path: Path, way: int, timeout: float) -> Iterator[None]:
    """Hold a lock on ``path``, exclusive or shared as ``way`` of flock says; raises DeadlineExceeded."""
    with until(lambda: try_lock(path, way), timeout=timeout, what=f"turn at {path.name}", every=0.1):
        yield
