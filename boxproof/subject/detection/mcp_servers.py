"""Which MCP servers the agent has in the image: by a file that a recipe copies, or by commands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from boxproof.subject.detection.directory import Directory
from boxproof.subject.detection.findings import Detected
from boxproof.subject.documented_commands import CONTINUED
from boxproof.subject.image import copied_files, shell_commands
from boxproof.subject.image.dockerfile import Recipe
from pytest_claims.selection import LARGEST

LISTED = "mcpServers"
CLIS = frozenset({"claude", "codex", "gemini", "qwen", "copilot"})
ADD, AS_JSON = "add", "add-json"
VALUED = frozenset(
    {
        "-s", "--scope", "-t", "--transport", "-e", "--env", "-H", "--header", "--timeout", "--description",
        "--include-tools", "--exclude-tools", "--client-id", "--callback-port", "--tools",
    }
)  # fmt: skip
VARIABLES = ("-e", "--env")  # several may follow the option


def remark(here: Directory, found: Detected, recipe: Recipe) -> None:
    """Remark each file of the build context that lists servers, and where the image has it.

    It is no fact: what the claims ask for is the server for the cluster, and whether one is that is
    for a person to say.
    """
    for source, place, listed in copied(here.root / str(found.get("image.context") or "."), recipe):
        told = f"{source} is {place} in the image and lists {', '.join(sorted(listed)[:5])}"
        found.remarks.append(f"mcp.config, mcp.server: {told}: where one is for the cluster, name both")
    ran = "\n".join(step.rest for stage in recipe.line for step in stage.steps if step.word == "RUN")
    names = sorted(name for name, _ in added(ran))
    if names:
        told = f"a RUN adds {', '.join(names[:5])} to what the agent's CLI keeps"
        found.remarks.append(f"mcp.config, mcp.server: {told}: where one is for the cluster, name both")


def copied(context: Path, recipe: Recipe) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give each file of the context that a recipe copies and that lists servers, its place, and these."""
    for source, place in _copied(recipe):
        listed = _servers(context / source)
        if listed:
            yield source, place, listed


def added(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the servers that commands of a text add to a CLI's list and that it starts, by their names."""
    for line in CONTINUED.sub(" ", text).splitlines():
        if "mcp" in line and not line.lstrip().startswith("#"):
            for _, words in shell_commands.commands(line):
                yield from _added(words)


def _added(words: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    if shell_commands.program(words[0]) not in CLIS or words[1:2] != ("mcp",):
        return
    verb, rest = next(iter(words[2:]), ""), list(words[3:])
    name, *command = _behind_options(rest) or [""]
    if verb == AS_JSON:
        try:
            told = json.loads(command[0]) if command else None
        except ValueError:
            told = None
        if isinstance(told, dict) and told.get("command"):
            yield name, told
    elif verb == ADD and command and "://" not in command[0]:
        yield name, {"command": command[0], "args": command[1:]}


def _behind_options(words: Sequence[str]) -> list[str]:
    """Return a server's name and its command: all that stands behind two dashes is the command's."""
    found: list[str] = []
    rest, option = list(words), ""
    while rest and len(found) < 2:
        each = rest.pop(0)
        if each == "--":
            return [*found, *rest]
        valued, variable = option in VALUED, option in VARIABLES and "=" in each
        if each.startswith("-") and not variable:
            option = "" if "=" in each else each
        elif not variable:
            found += [] if valued else [each]
            option = ""
    return [*found, *(rest[1:] if rest[:1] == ["--"] else rest)]


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
