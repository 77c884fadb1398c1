"""The state of a host's agent that a container is given: in words that a script collects, by an editor."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from boxproof.subject.documented_commands import CONTINUED
from boxproof.subject.model import Subject
from suites.agent_starts import plain
from suites.auth.host_homes import HOME, in_mount, in_options, is_state

BELOW = (".config", "share")  # the state has a plain name there
SHARED = frozenset({".", ".config", ".local", ".cache", ".data", ".state", ".home"})
QUOTES = str.maketrans("", "", "\"'")
TO_NODES = re.compile(
    r"\s*(?:-\s+)?(?:\{\s*)?hostPath:\s*(?P<place>[^\s,}#]+(?:\}[^\s,}#]*)*)"
)  # kind's extraMounts
ASSIGNED = r"^\s*(?:(?:export|local|readonly|declare)\s+)?(?P<name>\w+)\s*[:?]?=\s*"


def called(subject: Subject) -> str:
    """Return what the directory of the state is called in a home of the host, such as ".claude".

    A home as a whole, or a directory of another place, has a name that says nothing of that: a CLI has a
    hidden one.
    """
    place = PurePosixPath(subject.config_dir)
    name = place.name if place != PurePosixPath(subject.home) else ""
    if name and place.parent.name in BELOW:
        return name
    hidden = f".{name.removeprefix('.').removesuffix('-config')}"
    return hidden if hidden not in SHARED else ".claude"


def in_texts(texts: Mapping[str, str], state: str) -> list[str]:
    """Return where commands of texts, by their names, mount it, be it by words that a variable collects.

    A mount is written SOURCE:/TARGET, or source=SOURCE; whichever program it is for.
    """
    return [f"{page}: {each}" for page, text in texts.items() for each in _of_text(text, state)]


def _of_text(text: str, state: str) -> Iterator[str]:
    place = rf"{HOME}[^\s:,=]*?[\\/]+{re.escape(state)}(?:\.json\b|[\\/][^\s:,)]*)?"
    mounted = re.compile(
        rf"(?:(?<![\w:/.-])(?<!PATH=)|(?<=\s-v))(?P<first>{place}):/|\b(?:source|src)=(?P<named>{place})"
    )
    lines = [plain(each).translate(QUOTES) for each in CONTINUED.sub(" ", text).splitlines()]
    lines = [each for each in lines if not each.lstrip().startswith("#")]
    for line in lines:
        yield from (each["first"] or each["named"] for each in mounted.finditer(line))
    assigned = re.compile(rf"{ASSIGNED}(?P<place>{place})\s*$")
    for each in filter(None, map(assigned.match, lines)):
        variable = rf"\$[({{]?{each['name']}\b"
        used = re.compile(rf"{variable}[)}}]?[^\s:]*:/|\b(?:source|src)={variable}")
        if any(map(used.search, lines)):
            yield each["place"]


def in_devcontainer(told: Mapping[str, Any], state: str) -> list[str]:
    """Return the homes, or the state in one, that a development container mounts."""
    found: list[str] = []
    for each in told.get("mounts") or ():
        found += [str(each.get("source", ""))] if isinstance(each, Mapping) else in_mount(str(each))
    found += in_options([str(each) for each in told.get("runArgs") or ()], state)
    return [each for each in found if is_state(each, state)]


def in_nodes(texts: Mapping[str, str], state: str) -> list[str]:
    """Return where texts, by their names, give the nodes of a cluster in containers the state, or a home.

    It is a path of the node's from there on, whatever mounts it.
    """
    found = []
    for name, text in texts.items():
        lines = [plain(each).translate(QUOTES) for each in text.splitlines()]
        told = (match["place"].strip() for match in map(TO_NODES.match, lines) if match)
        found += [f"{name}: {each}" for each in told if is_state(each, state)]
    return found
