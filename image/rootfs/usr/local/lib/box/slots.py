"""The places for prompts: so many at a time, each given back however the work on it ends."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

SPARE = 30.0  # seconds over its time after which a prompt is taken to be stuck: a CLI has some to end in


class Busy(Exception):
    """Every place is taken."""


class Slots:
    """``number`` places, each for at most ``longest`` seconds."""

    def __init__(self, number: int, longest: float) -> None:
        self.number = number
        self.longest = longest
        self.taken: dict[str, float] = {}  # since when

    @contextmanager
    def take(self, name: str) -> Iterator[None]:
        """Take a place for the block; raises Busy."""
        if len(self.taken) >= self.number:
            raise Busy
        self.taken[name] = time.monotonic()
        try:
            yield
        finally:
            del self.taken[name]

    @property
    def stuck(self) -> bool:
        """Whether every place is taken for longer than a prompt may take: no other will get one."""
        late = time.monotonic() - self.longest - SPARE
        return len(self.taken) >= self.number and all(since < late for since in self.taken.values())
