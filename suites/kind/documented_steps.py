"""Whether the documents have the very steps that are tried."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from boxproof.subject.documented_commands import CONTINUED

PLACE = re.compile(r"(\{\w+\})")  # what is filled in, in a step
TOLD = re.compile(r"(--[\w-]+)=(.*)", re.DOTALL)
PROMPT = re.compile(r"^\s*[$#>]\s+(?=\S)")


def undocumented(steps: Sequence[Sequence[str]], pages: Mapping[str, str]) -> list[str]:
    """Return the steps that are not on the page which has most of them, in their order.

    A step has places such as ``{image}``, where a page may have any word.
    """
    every = [_left(steps, text) for text in pages.values()]
    return min(every, key=len, default=[" ".join(each) for each in steps])


def _left(steps: Sequence[Sequence[str]], text: str) -> list[str]:
    lines = [_words(each) for each in CONTINUED.sub(" ", text).splitlines()]
    left, begin = [], 0
    for step in steps:
        wanted = [_pattern(each) for each in _parted(step)]
        at = next((each for each in range(begin, len(lines)) if _is(lines[each], wanted)), -1)
        begin = at + 1 if at >= 0 else begin
        left += [" ".join(step)] if at < 0 else []
    return left


def _is(words: Sequence[str], wanted: Sequence[re.Pattern[str]]) -> bool:
    return len(words) == len(wanted) and all(
        pattern.fullmatch(word) for word, pattern in zip(words, wanted, strict=True)
    )


def _pattern(word: str) -> re.Pattern[str]:
    parts = PLACE.split(word)
    return re.compile("".join(".+" if PLACE.fullmatch(each) else re.escape(each) for each in parts))


def _words(line: str) -> list[str]:
    """Return the words of a line of a shell; what is no shell is parted at its spaces."""
    plain = PROMPT.sub("", line)
    try:
        return _parted(shlex.split(plain, comments=True))
    except ValueError:
        return _parted(plain.split())


def _parted(words: Sequence[str]) -> list[str]:
    """Return words with the value of an option as a word of its own."""
    found: list[str] = []
    for each in words:
        told = TOLD.fullmatch(each)
        found += told.groups() if told else [each]
    return found
