"""What there is one of in a process, and whether it was told to end.

Who says a line of progress, waits, or records what a probe was told, is handed none of these: a process has
one standard error, one machine to measure, one check at a time. All of them are kept here and nowhere else.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

T = TypeVar("T")


class ProcessObjects:
    """Objects by their class, each made when it is first asked for."""

    def __init__(self) -> None:
        self._made: dict[type, object] = {}

    def get(self, kind: type[T]) -> T:
        """Return the one object of a class, made without arguments when it is first asked for."""
        made = self._made.get(kind)
        return cast(T, self._made.setdefault(kind, kind()) if made is None else made)

    @contextmanager
    def having(self, *objects: object) -> Iterator[None]:
        """Have these in the place of the process's own of their classes until the end of the block."""
        before = {type(each): self._made.get(type(each)) for each in objects}
        self._made.update({type(each): each for each in objects})
        try:
            yield
        finally:
            for kind, own in before.items():
                if own is None:
                    del self._made[kind]
                else:
                    self._made[kind] = own


PROCESS = ProcessObjects()


class Told(threading.Event):
    """Set once this process was told to end: a signal is the whole process's."""


class CutShort(Exception):
    """What was under way was ended because nobody wants its result any more."""


def still_wanted() -> None:
    """Raise CutShort in any but the main thread once this process was told to end."""
    if PROCESS.get(Told).is_set() and threading.current_thread() is not threading.main_thread():
        raise CutShort("the run was told to end")
