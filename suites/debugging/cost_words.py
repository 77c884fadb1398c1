"""Whether a text says that tracing stops or slows what is traced, and not the opposite, or how to end it."""

from __future__ import annotations

import re

COSTS = re.compile(r"\b(?:stop|slow|halt|pause)\w*\b", re.IGNORECASE)
DENIED = re.compile(
    r"(?:\b(?:not|never|without|hardly|barely|no longer|neither|nor|cannot)|n[’']t)\s+(?:\w+\s+){0,2}?"
    r"(?:stop|slow|halt|paus)\w*",
    re.IGNORECASE,
)
# what the reader is to do with the tracer, by a key or after a while
ENDED = re.compile(
    r"\b(?:stop|halt|pause)\s+(?:it|them|[sl]trace|the\s+(?:trac|count|record|command|session)\w*)"
    r"(?:\s+(?:with|by|after|when|again|at any time|any ?time)\b|(?=\s*[:(]))"
    r"|\b(?:[Cc]trl[-+ ]C|\^C)[`*]*\s+(?:to\s+stop|stops)\b|\bto\s+stop,?\s+(?:press|type|hit)\b"
    r"|\bstops?\s+(?:after\s+\d|on\s+Ctrl|with\s+Ctrl)",
    re.IGNORECASE,
)


def told(text: str) -> bool:
    """Return whether a text says what it costs."""
    flat = " ".join(text.split())
    return COSTS.search(ENDED.sub(" ", DENIED.sub(" ", flat))) is not None
