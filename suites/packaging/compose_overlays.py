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


def _is_root(service: Mapping[str, Any]) -> bool:
    return ROOT.match(filled(str(service.get("user", "")))) is not None


def _unasked(services: Mapping[str, Any]) -> Iterator[str]:
    """Give the services that come up unless a profile has to be named for them."""
    yield from (name for name, each in services.items() if not (each or {}).get("profiles"))
