"""YAML that others wrote: no key twice, and no anchors that repeat each other without end or measure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import yaml

MOST = 1_000_000  # values of a document, what its anchors repeat counted each time
MERGE = "tag:yaml.org,2002:merge"


def load_all(text: str, loader: Any, *, once: bool = True) -> Iterator[Any]:
    """Give the documents of a text; raises yaml.YAMLError, with ``once`` for a key that stands twice too.

    Of two the last would count, and kubectl takes neither.
    """
    made = loader(text)
    try:
        while made.check_node():
            node = made.get_node()
            if once or "&" in text:
                _demand_measure(node, once)
            yield made.construct_document(node)
    finally:
        made.dispose()


def of_json(text: str, *, once: bool = True) -> Iterator[Any]:
    """Give the values of JSON that stand one after another, as kubectl takes them: YAML would have no tabs.

    Raises ValueError for no JSON, with ``once`` for a key that stands twice too.
    """
    decoder, rest = (
        json.JSONDecoder(object_pairs_hook=_of_pairs if once else None),
        text.lstrip("\ufeff \t\r\n"),
    )
    while rest:
        value, end = decoder.raw_decode(rest)
        yield value
        rest = rest[end:].lstrip()


def _of_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [key for key, _ in pairs]
        twice = next(each for each in names if names.count(each) > 1)
        raise ValueError(f"the key {twice[:80]!r} stands there twice")
    return made


def mapping(value: object) -> dict[str, Any]:
    """Return a value that is a mapping, {} in the place of another."""
    return value if isinstance(value, dict) else {}


def _demand_measure(root: yaml.Node, once: bool) -> None:
    sizes: dict[int, int] = {}
    begun: set[int] = set()
    left = [(root, False)]
    while left:
        node, is_done = left.pop()
        below = _below(node)
        if is_done:
            sizes[id(node)] = 1 + sum(sizes[id(each)] for each in below)
            if sizes[id(node)] > MOST:
                raise _wrong(node, f"its anchors repeat more than {MOST} values")
        elif id(node) in begun and id(node) not in sizes:
            raise _wrong(node, "it contains itself")
        elif id(node) not in sizes:
            begun.add(id(node))
            if once:
                _demand_once(node)
            left += [(node, True), *((each, False) for each in below)]


def _below(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [each for pair in node.value for each in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _demand_once(node: yaml.Node) -> None:
    seen: set[tuple[str, str]] = set()
    for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
        if not isinstance(key, yaml.ScalarNode) or key.tag == MERGE:
            continue
        if (key.tag, key.value) in seen:
            raise _wrong(key, f"the key {key.value[:80]!r} stands there twice")
        seen.add((key.tag, key.value))


def _wrong(node: yaml.Node, problem: str) -> yaml.YAMLError:
    mark = node.start_mark
    return yaml.YAMLError(f"{problem} (line {mark.line + 1}, column {mark.column + 1})")
