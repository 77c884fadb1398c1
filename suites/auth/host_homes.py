"""Homes of the host that a container is given, in whatever words: options of an engine, files of Compose."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from boxproof.subject.documented_commands import values

HOMES = re.compile(r"^(~|\$\{?HOME\b|/root\b|/home/|/Users/)")
SOURCES = ("source", "src")


def in_options(options: Sequence[str]) -> list[str]:
    """Return the homes that options of ``docker run`` mount."""
    named = [each.partition(":")[0] for each in values(options, "-v", "--volume")]
    for each in values(options, "--mount"):
        field = dict(one.partition("=")[::2] for one in each.split(","))
        named += [field[name] for name in SOURCES if name in field]
    return [each for each in named if HOMES.match(each)]


def in_compose(content: Mapping[str, Any]) -> list[str]:
    """Return the homes that a Compose file mounts: by services, named volumes, secrets and configs."""
    return [each for each in _named(content) if HOMES.match(each)]


def source(volume: object) -> str:
    """Return what a volume of a service is of the host; a place of the container alone is of no host."""
    if isinstance(volume, Mapping):
        return str(volume.get("source", "")) if volume.get("type", "bind") == "bind" else ""
    source, colon, _ = str(volume).partition(":")
    return source if colon else ""


def _named(content: Mapping[str, Any]) -> Iterator[str]:
    for service in (content.get("services") or {}).values():
        for each in (service or {}).get("volumes") or ():
            yield source(each)
    for volume in (content.get("volumes") or {}).values():
        yield str(((volume or {}).get("driver_opts") or {}).get("device", ""))
    for kind in ("secrets", "configs"):
        for each in (content.get(kind) or {}).values():
            yield str((each or {}).get("file", ""))
