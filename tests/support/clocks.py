"""A clock that moves only while somebody sleeps: what waits in this process waits no real time."""

from __future__ import annotations

import tenacity.nap

from pytest_claims import pace, waiting

READERS = (pace, waiting, tenacity.nap)  # whoever waits looks at the time through one of them


class Clock:
    """What stands in the place of the module ``time``."""

    def __init__(self) -> None:
        self.moment = 1_000_000.0

    def monotonic(self) -> float:
        """Return the moment."""
        return self.moment

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.moment += seconds
