"""The MCP servers that a recipe copies the settings of into the image, as they are started there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from boxproof.subject.detection import mcp_servers
from boxproof.subject.image import dockerfile
from boxproof.subject.image.dockerfile import Recipe
from boxproof.subject.model import Subject


def of(subject: Subject) -> dict[str, str]:
    """Return how each server of a file in the image is started, by that file; none that the build installs.

    What a program like npx is told to start is fetched only where it is not there yet.
    """
    about = subject.image
    path = subject.path(about.dockerfile) if not about.reference else None
    text = dockerfile.text_of(path) if path is not None and path.is_file() else ""
    recipe = dockerfile.read(text, about.args, about.target, about.contexts) if text else None
    if recipe is None:
        return {}
    return {
        f"{source}: {name}": words
        for source, _, listed in mcp_servers.copied(subject.directory / about.context, recipe)
        for name, each in listed.items()
        for words in _started(each, recipe)
    }


def _started(server: Any, recipe: Recipe) -> Iterator[str]:
    """Give the words of a server that is started, its program as a word of its own."""
    told = server if isinstance(server, dict) else {}
    listed = told.get("args")
    args = [str(each) for each in listed] if isinstance(listed, list) else []
    if told.get("command") and not _is_installed(args, recipe):
        yield " ".join([f'"{told["command"]}"', *args])


def _is_installed(args: list[str], recipe: Recipe) -> bool:
    """Return whether the build installs the package that a server's first word names."""
    named = next((each for each in args if not each.startswith("-")), "")
    package = named[:1] + named[1:].partition("@")[0]
    ran = (step.rest for stage in recipe.stages for step in stage.steps if step.word == "RUN")
    return bool(package) and any(package in each for each in ran)
