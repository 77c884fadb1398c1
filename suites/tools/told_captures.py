"""The captures by a debugging container that pages tell people to type, and what they lack."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from boxproof.subject import documented_commands
from boxproof.subject.manifests import page_code

CAPTURES = re.compile(
    r"\b(?:kubectl|oc)\b[^\n|;&]*\sdebug\s(?!node/)(?![^\n|;&]*\snode/)[^\n]*"
    r"\b(?:tcpdump|tshark|dumpcap|termshark|ngrep)\b[^\n]*"
)
FILE, PROFILE = "--custom", "--profile"


def captures(text: str) -> list[str]:
    """Return the commands of a text that capture in a pod by a debugging container, in order."""
    lines = documented_commands.CONTINUED.sub(" ", text).splitlines()
    return [found[0].strip() for each in lines if not each.lstrip().startswith("#")
            for found in CAPTURES.finditer(each)]  # fmt: skip


def lacking(command: str, carried_out: Sequence[str]) -> list[str]:
    """Return the options of the capture that is carried out which a told one has not.

    It names a profile of its own or the same, and the same file of settings wherever that lies.
    """
    words = page_code.words(command)
    found = [] if documented_commands.values(words, PROFILE) else [PROFILE]
    wanted = {PurePosixPath(each).name for each in documented_commands.values(carried_out, FILE)}
    named = {PurePosixPath(each).name for each in documented_commands.values(words, FILE)}
    return found if wanted <= named else [*found, FILE]
