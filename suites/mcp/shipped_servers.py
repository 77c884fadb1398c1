"""The MCP servers that a subject ships settings of, in whatever tier, file or value of a chart."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
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
# has a server listen for others than the CLI that starts it
LISTENS = re.compile(
    r"--(?:(?:sse|http|listen|server|metrics|health)-?)?(?:port|addr(?:ess)?|bind|base-url)(?:=|$)"
    r"|--(?:http|sse|listen)(?:=|$)"
)
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


def heard(session: Session, subject: Subject) -> dict[str, str]:
    """Return how shipped servers are reached otherwise than as a child on stdio, by where they stand.

    In every tier: the subject's own server, and whatever else is started of its program.
    """
    own, texts = subject.mcp.server, list(_texts(session, subject, every=True))
    programs = {
        PurePosixPath(words[0]).name for _, text in texts for name, words in servers(text) if name == own
    }
    return {f"{name}, {where}": each for where, text in texts for name, each in reached(text, own, programs)}


def reached(text: str, own: str, programs: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """Give the names of a text's servers that are reached otherwise, each with the words that say so."""
    for name, words in servers(text):
        if name == own or PurePosixPath(words[0]).name in programs:
            told = [each for each in words if LISTENS.match(each)]
            yield from [(name, " ".join(told))] if told else []
    for name, each in listed(text):
        if name == own and isinstance(each, dict) and each.get("url") and not each.get("command"):
            yield name, str(each["url"])


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


def _texts(session: Session, subject: Subject, *, every: bool = False) -> Iterator[tuple[str, str]]:
    """Give each text that lists servers, and where it stands; those of the operator's tier if ``every``."""
    told = set() if every else set(subject.tiers.get(OTHERWISE, ()))
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
    started = [(name, each) for name, each in listed(text) if isinstance(each, dict) and each.get("command")]
    return [
        (name, (str(each["command"]), *(str(one) for one in each.get("args") or ())))
        for name, each in started
    ]


def listed(text: str) -> list[tuple[str, Any]]:
    """Return the servers that a text of settings has, whatever they are; none where it is no JSON."""
    try:
        found = json.loads(text)[LISTED]
    except (ValueError, KeyError, TypeError):
        return []
    return sorted(found.items()) if isinstance(found, dict) else []


def alone(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words of a server without those that name a file of its own tier."""
    pairs = zip(("", *words), words, strict=False)
    return tuple(
        each
        for before, each in pairs
        if before not in ELSEWHERE and each not in ELSEWHERE and each.partition("=")[0] not in ELSEWHERE
    )
