"""What ``kind create cluster`` spends its time on, by the lines it prints."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from pytest_claims import progress

BEGUN, ENDED = "•", "✓"
# a mark, a name in ASCII, perhaps an image in brackets, emojis: " • Preparing nodes 📦 📦  ..."
LINE = re.compile(rf"\s*([{BEGUN}{ENDED}])\s+([\w -]+\w)")


def timed(report: Callable[[str], None]) -> Callable[[str], None]:
    """Return what passes kind's lines on to ``report`` and adds each of its steps to the timings."""
    begun: dict[str, float] = {}

    def line(text: str) -> None:
        report(text)
        found = LINE.match(text)
        if found is None:
            return
        mark, name = found.groups()
        if mark == BEGUN:
            begun.setdefault(name, time.monotonic())
        elif name in begun:
            progress.took(f"kind: {name}", time.monotonic() - begun.pop(name))

    return line
