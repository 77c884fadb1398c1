"""The MCP servers that a subject ships settings of, in whatever tier, file or value of a chart."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from boxproof.core.session import Session
from boxproof.subject.manifests import compose_file, shipped
from boxproof.subject.model import Subject
from suites.image import deployed_words

Servers = dict[tuple[str, ...], str]  # where each stands, by its words
LISTED = "mcpServers"
# files that list servers, by the names that CLIs and their plug-ins have for them
LISTS = re.compile(r"(^|/)([\w.-]*mcp[\w.-]*|\.claude|plugin|[\w.-]*(settings|config)[\w.-]*)\.json$")
OF_LIBRARIES = frozenset({"node_modules", "site-packages", "dist-packages"})
OTHERWISE = "operator"  # the tier that is told to change things
ELSEWHERE = ("--kubeconfig",)  # names what only its own tier has


def of(session: Session, subject: Subject, program: str) -> Servers:
    """Return the servers of a program by how each is started, but for those of the operator's tier."""
    found: Servers = {}
    for where, text in _texts(session, subject):
        for name, words in servers(text):
            if PurePosixPath(words[0]).name == PurePosixPath(program).name:
                found.setdefault((program, *alone(words[1:])), f"{name}, {where}")
    return found


def of_image(names: Iterable[str], read: Callable[[str], str | None], program: str) -> Servers:
    """Return the servers of a program that files of an image list, whichever of these a CLI reads.

    ``names`` are the image's files, without the first "/"; ``read`` returns the text of one by its path.
    """
    found: Servers = {}
    own = (each for each in set(names) if LISTS.search(each) and not OF_LIBRARIES & set(each.split("/")))
    for path in (f"/{each}" for each in sorted(own)):
        for name, words in servers(read(path) or ""):
            if PurePosixPath(words[0]).name == PurePosixPath(program).name:
                found.setdefault((program, *words[1:]), f"{name}, {path} of the image")
    return found


def _texts(session: Session, subject: Subject) -> Iterator[tuple[str, str]]:
    """Give each text that lists servers, and where it stands."""
    told = set(subject.tiers.get(OTHERWISE, ()))
    for where, made in deployed_words.objects(session, subject).items():
        if not told & set(PurePosixPath(where).parts):
            yield from ((where, text) for each in made for text in texts_in(each))
    for path in shipped.files(subject, "values*.yaml", "values*.yml"):
        for each in compose_file.documents(path):
            yield from ((str(path.relative_to(subject.directory)), text) for text in texts_in(each))


def texts_in(item: Any) -> Iterator[str]:
    """Give each text that lists servers, and as such a text each table that does, which a chart renders."""
    if isinstance(item, Mapping):
        if isinstance(item.get(LISTED), Mapping):
            yield json.dumps({LISTED: item[LISTED]}, default=str)
        for each in item.values():
            yield from texts_in(each)
    elif isinstance(item, list | tuple):
        for each in item:
            yield from texts_in(each)
    elif isinstance(item, str) and f'"{LISTED}"' in item:
        yield item


def servers(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return the servers that a text of settings has started, by their names; none where it is no JSON."""
    try:
        listed = json.loads(text)[LISTED]
    except (ValueError, KeyError, TypeError):
        return []
    every = sorted(listed.items()) if isinstance(listed, dict) else []
    started = [(name, each) for name, each in every if isinstance(each, dict) and each.get("command")]
    return [
        (name, (str(each["command"]), *(str(one) for one in each.get("args") or ())))
        for name, each in started
    ]


def alone(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words of a server without those that name a file of its own tier."""
    pairs = zip(("", *words), words, strict=False)
    return tuple(
        each
        for before, each in pairs
        if before not in ELSEWHERE and each not in ELSEWHERE and each.partition("=")[0] not in ELSEWHERE
    )
