"""What Compose files make of the box beside the first: by whom it runs, and what else comes up with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from boxproof.subject.variables import filled

# what Compose lays over the first file by itself, where nobody names a file
BY_ITSELF = re.compile(r"^(docker-)?compose\.override\.ya?ml$")
ROOT = re.compile(r"^(root|0+)(:.*)?$")


def amiss(files: Mapping[str, Mapping[str, Any]], first: str, service: str) -> list[str]:
    """Return what makes a service root's, or brings another one up unasked; ``first`` is the Compose file."""
    beside = PurePosixPath(first).parent
    found = []
    for name, content in files.items():
        services = content.get("services") or {}
        if _is_root(services.get(service) or {}):
            found.append(f"{name}: {service} is root's")
        path = PurePosixPath(name)
        if path.parent == beside and (name == first or BY_ITSELF.match(path.name)):
            found += [f"{name}: {each} comes up too" for each in _unasked(services) if each != service]
    return found


def unkept(
    files: Mapping[str, Mapping[str, Any]], first: str, asked: str, service: str, where: str
) -> list[str]:
    """Return what is put in the place of the volume at ``where``, or does away with it.

    That is in the files that Compose takes by itself, and in the one that is ``asked`` for.
    """
    beside = PurePosixPath(first).parent
    found = []
    for name, content in files.items():
        own = (content.get("services") or {}).get(service) or {}
        path = PurePosixPath(name)
        if name != asked and not (path.parent == beside and BY_ITSELF.match(path.name)):
            continue
        if "volumes" in own and own["volumes"] is None:
            found.append(f"{name}: {service} has no volume")
        for each in own.get("volumes") or ():
            source, target, kind = _mount(each)
            if _at(target, where) and not (kind == "volume" and source):
                found.append(f"{name}: {source or kind} is at {target}")
        memory = own.get("tmpfs") or ()
        for each in [memory] if isinstance(memory, str) else memory:
            target = str(each).partition(":")[0]
            if _at(target, where):
                found.append(f"{name}: memory is at {target}")
    return found


def _at(target: str, where: str) -> bool:
    """Return whether a mount at a path takes the place of another one: above it leaves that as it is."""
    return PurePosixPath(target) == PurePosixPath(where)


def _mount(told: Any) -> tuple[str, str, str]:
    """Return source, target and kind of a mount, however it is written."""
    if isinstance(told, Mapping):
        source, target = str(told.get("source") or told.get("src") or ""), told.get("target") or ""
        return (
            source,
            str(target or told.get("destination") or told.get("dst") or ""),
            str(told.get("type", "")),
        )
    first, mark, rest = filled(str(told)).partition(":")
    source, target = (first, rest.partition(":")[0]) if mark else ("", first)
    return source, target, "bind" if source.startswith(("/", ".", "~")) else "volume"


def _is_root(service: Mapping[str, Any]) -> bool:
    return ROOT.match(filled(str(service.get("user", "")))) is not None


def _unasked(services: Mapping[str, Any]) -> Iterator[str]:
    """Give the services that come up unless a profile has to be named for them."""
    yield from (name for name, each in services.items() if not (each or {}).get("profiles"))
