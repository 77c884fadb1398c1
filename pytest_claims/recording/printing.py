"""Texts of others as a terminal or a page may have them: nothing moves a cursor or turns a line."""

from __future__ import annotations

import json
import re

# controls but for tab and line ends, marks of direction, what is no character at all, tags
UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufffe\uffff\U000e0000-\U000e007f]"
)


def printable(text: str, kept: str = "", encoding: str = "utf-8", *, as_json: bool = False) -> str:
    """Return a text with what no terminal prints, or ``encoding`` has not, escaped, but what is ``kept``.

    In JSON this happens within its strings, as they escape.
    """
    odd = [each for each in set(text) if each not in kept and not _has(encoding, each)]
    return text.translate({ord(each): json.dumps(each)[1:-1] if as_json else _escaped(each) for each in odd})


def _has(encoding: str, each: str) -> bool:
    return each.isprintable() and bool(each.encode(encoding, "ignore"))


def _escaped(each: str) -> str:
    return each.encode("ascii", "backslashreplace").decode() if each.isprintable() else repr(each)[1:-1]
