"""Which file of the image lists the agent's MCP servers, as a recipe copies it there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from boxproof.subject.detection.directory import Directory
from boxproof.subject.detection.findings import Detected
from boxproof.subject.image import copied_files
from boxproof.subject.image.dockerfile import Recipe
from pytest_claims.selection import LARGEST

LISTED = "mcpServers"


def remark(here: Directory, found: Detected, recipe: Recipe) -> None:
    """Remark each file of the build context that lists servers, and where the image has it.

    It is no fact: what the claims ask for is the server for the cluster, and whether one is that is
    for a person to say.
    """
    for source, place, listed in copied(here.root / str(found.get("image.context") or "."), recipe):
        told = f"{source} is {place} in the image and lists {', '.join(sorted(listed)[:5])}"
        found.remarks.append(f"mcp.config, mcp.server: {told}: where one is for the cluster, name both")


def copied(context: Path, recipe: Recipe) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give each file of the context that a recipe copies and that lists servers, its place, and these."""
    for source, place in _copied(recipe):
        listed = _servers(context / source)
        if listed:
            yield source, place, listed


def _copied(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Give each file of JSON that a COPY or ADD names of the context, and its path in the image."""
    for each in copied_files.of(recipe):
        if each.source.endswith(".json"):
            yield each.source, each.place


def _servers(path: Path) -> dict[str, Any]:
    """Return the servers that a file lists by their names, {} for one that lists none or is not there."""
    try:
        listed = json.loads(path.read_text())[LISTED] if path.stat().st_size <= LARGEST else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return listed if isinstance(listed, dict) else {}
