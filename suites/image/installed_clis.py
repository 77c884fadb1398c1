"""Where an image has the CLI of Claude Code: its own program, an npm package, what the installer keeps."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from boxproof.subject.image.layers import OPAQUE, WHITEOUT, Layer

# the directory or program that one way to install it makes
PLACES = (
    re.compile(r"^(?:.*/)?\.claude/local(?=/)"),
    re.compile(r"^(?:.*?/)?node_modules/@anthropic-ai(?=/claude-code(?:-[\w-]+)?/)"),
    # what a library of agents, or an editor's extension, brings along for itself
    re.compile(r"^.*/@anthropic-ai/claude-agent-sdk(?=(?:-[\w-]+)?/(?:.*/)?(?:cli\.js|claude(?:\.exe)?)$)"),
    re.compile(r"^.*/claude_(?:agent|code)_sdk(?=/_bundled/claude(?:\.exe)?$)"),
    re.compile(r"^.*/anthropic\.claude-code-[^/]+(?=/.*/(?:cli\.js|claude(?:\.exe)?)$)"),
    re.compile(r"^.*\.local/share/claude/versions/[^/]+"),
    re.compile(r"^(?:.*/)?s?bin/claude(?:\.exe)?$"),
)


def found(layers: Iterable[Layer], cli: str) -> list[str]:
    """Return the places in which layers, one upon the other, leave a CLI; ``cli`` is the pinned one."""
    there: dict[str, str] = {}  # files, by the place that each is of
    for layer in layers:
        whiteouts = [each for each in layer.files if PurePosixPath(each).name.startswith(WHITEOUT)]
        there = {
            name: at for name, at in there.items() if not any(_removes(each, name) for each in whiteouts)
        }
        for name, size in layer.files.items():
            place = _place(name, cli)
            if place and size:
                there[name] = place
            elif place and name in layer.hollow:  # a link in the place of the file
                there.pop(name, None)
    return sorted(set(there.values()))


def _place(name: str, cli: str) -> str:
    matched = (each.match(name) for each in PLACES)
    return next((each[0] for each in matched if each), name if f"/{name}" == cli else "")


def _removes(whiteout: str, name: str) -> bool:
    """Return whether a whiteout removes a file of an earlier layer."""
    path = PurePosixPath(whiteout)
    target = path.parent if path.name == OPAQUE else path.with_name(path.name.removeprefix(WHITEOUT))
    return name.startswith(f"{target}/") or (name == str(target) and path.name != OPAQUE)
