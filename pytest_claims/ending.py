"""Whether this process was told to end: whoever waits in another thread than the main one then stops."""

from __future__ import annotations

import threading

TOLD = threading.Event()  # a signal is the whole process's


class CutShort(Exception):
    """What was under way was ended because nobody wants its result any more."""


def still_wanted() -> None:
    """Raise CutShort in any but the main thread once this process was told to end."""
    if TOLD.is_set() and threading.current_thread() is not threading.main_thread():
        raise CutShort("the run was told to end")
