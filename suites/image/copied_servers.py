"""The MCP servers that a recipe has in the image, by settings or by commands, as they are started there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from boxproof.subject.detection import mcp_servers
from boxproof.subject.image import dockerfile
from boxproof.subject.image.dockerfile import Recipe
from boxproof.subject.manifests.shipped import BY_A_SHELL
from boxproof.subject.model import Subject
from suites.image import build_scripts

ADDS = re.compile(r"\bmcp\s+add(?:-json)?\b[^\n;&|]*")  # names a package, and installs none
WORD = re.compile(r"[\w.-]+")


def of(subject: Subject) -> dict[str, str]:
    """Return how each server in the image is started, by where it stands; none that the build installs.

    What a program like npx is told to start is fetched only where it is not there yet.
    """
    about = subject.image
    path = subject.path(about.dockerfile) if not about.reference else None
    text = dockerfile.text_of(path) if path is not None and path.is_file() else ""
    recipe = dockerfile.read(text, about.args, about.target, about.contexts) if text else None
    if recipe is None:
        return {}
    listed = [
        (source, *pair)
        for source, _, found in mcp_servers.copied(subject.directory / about.context, recipe)
        for pair in found.items()
    ]
    texts = build_scripts.texts_of(subject)
    spelled_out = build_scripts.spelled_out(recipe, texts)
    ran = [each.rest for stage in spelled_out.line for each in stage.steps if each.word == "RUN"]
    listed += [("RUN", *pair) for text in ran for pair in mcp_servers.added(text)]
    listed += [(path, *pair) for path, text in _at_start(recipe, texts) for pair in mcp_servers.added(text)]
    return {f"{where}: {name}": words for where, name, each in listed for words in _started(each, recipe)}


def _at_start(recipe: Recipe, texts: build_scripts.Scripts) -> Iterator[tuple[str, str]]:
    """Give the scripts that the image starts with, and those that these name."""
    steps = [each for stage in recipe.line for each in stage.steps]
    named = [each.rest for each in steps if each.word in ("ENTRYPOINT", "CMD")]
    scripts = {path: text for path, text in texts.items() if BY_A_SHELL.match(text)}
    for _ in range(build_scripts.DEEPEST):
        said = set(WORD.findall("\n".join(named)))
        started = [path for path in scripts if PurePosixPath(path).name in said]
        yield from ((path, scripts[path]) for path in started)
        named = [scripts.pop(path) for path in started]


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
    return bool(package) and any(package in ADDS.sub("", each) for each in ran)
