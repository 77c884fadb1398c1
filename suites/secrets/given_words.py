"""Secrets among the words of commands that users are told to run: whoever lists processes reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from boxproof.subject.documented_commands import CONTINUED
from boxproof.subject.image.shell_commands import commands

NAME = r"[A-Z0-9_]*(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY)"
EXPANDED = re.compile(rf"\$(?:{NAME}(?![A-Z0-9_])|\{{{NAME}[^A-Z0-9_])")
GIVEN = re.compile(rf"^(?:--?[\w-]+=)?{NAME}=\S")
LITERAL = re.compile(r"^--from-literal=[\w.-]*(?:token|password|secret)[\w.-]*=(?!sha256:)\S", re.IGNORECASE)
SUBSTITUTED = re.compile(r"\$\([^()]*\)")
HERE = re.compile(r"<<<\s*(?:\"[^\"]*\"|'[^']*'|\S+)")  # standard input, and no word
BUILT_IN = frozenset(
    {"printf", "echo", "export", "read", "test", "[", "[[", "unset", ":"}
)  # start no process


def in_words(texts: Mapping[str, str]) -> list[str]:
    """Return the commands of texts (by their names) that have a secret among their words."""
    return [f"{name}: {each}" for name, text in texts.items() for each in _of_text(text)]


def _of_text(text: str) -> Iterator[str]:
    for line in CONTINUED.sub(" ", text).splitlines():
        if not line.lstrip().startswith("#"):
            for written, words in commands(HERE.sub("", line)):
                if words and words[0] not in BUILT_IN and any(_shows(each) for each in words[1:]):
                    yield written


def _shows(word: str) -> bool:
    plain = SUBSTITUTED.sub("", word)
    return bool(EXPANDED.search(plain) or GIVEN.match(word) or LITERAL.match(plain))
