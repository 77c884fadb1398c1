"""The values that commands of Helm give a chart by their options, as scripts and pages have them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from boxproof.subject.manifests import page_code

HELM = re.compile(r"\bhelm\b[^\n]*?\s--set")
TEXTS = ("--set", "--set-string", "--set-literal")  # KEY=VALUE, several with commas between them
AS_JSON = "--set-json"  # KEY=JSON, or an object
APART = re.compile(r"(?<!\\),(?![^{}]*\})")  # a comma in braces is one of a list
DOT = re.compile(r"(?<!\\)\.")

Values = dict[str, Any]


def given(text: str) -> Iterator[Values]:
    """Give the values of each option of Helm's commands in ``text``, nested as in a file of values.

    What is no such option, or no JSON where that is due, gives none: a page may cut it short.
    """
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if HELM.search(line):
            yield from _of_words(page_code.words(line))


def _of_words(words: Sequence[str]) -> Iterator[Values]:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, equals, rest = word.partition("=")
        value = rest if equals else following
        if name == AS_JSON:
            yield from _of_json(value)
        elif name in TEXTS:
            for each in APART.split(value):
                key, _, said = each.partition("=")
                yield nested(key, said)


def _of_json(value: str) -> Iterator[Values]:
    key, _, text = ("", "", value) if value.startswith("{") else value.partition("=")
    try:
        said = json.loads(text)
    except ValueError:
        return
    if key or isinstance(said, dict):
        yield nested(key, said) if key else said


def nested(key: str, value: Any) -> Values:
    """Return ``a.b`` and a value as ``{"a": {"b": value}}``; a dot behind a backslash is one of the name."""
    for part in reversed(DOT.split(key)):
        value = {part.replace("\\.", "."): value}
    return dict(value)
