"""Programs that a deployed box fetches and puts in their place, packages whose manager is told more."""

from __future__ import annotations

import re
from collections.abc import Mapping

# a directory of programs, or something in it
PLACE = (
    r"[\"']?(?:[\w.~${}/-]*/)?(?:s?bin|tools?|usr(?:/local)?|libexec|\.local)"
    r"(?:/[\w.*${}-]*)*(?=[\s;&|\"')]|$)"
)
LATER = r"(?:[^\n]*\n){0,3}?[^\n]*"  # some lines further on
DOWNLOAD = r"\b(?:curl|wget|aria2c)\b"
INTO = re.compile(
    # unpacked there
    rf"{DOWNLOAD}{LATER}\b(?:tar|bsdtar|unzip|cpio)\b[^\n;&|]*\s(?:-\w*C|--directory|-d)[= ]*{PLACE}"
    # written there as it comes
    rf"|{DOWNLOAD}[^\n;&|]*\s(?:-\w*[oOP]|--output(?:-document|-dir)?|--directory-prefix|\d?>)[= ]*{PLACE}"
    # or brought there afterwards
    rf"|{DOWNLOAD}{LATER}\b(?:install|mv|cp)\s[^\n;&|]*\s{PLACE}"
)
MANAGERS = "apt|apt-get|aptitude|dnf|microdnf|yum|zypper|apk|npm|pnpm|yarn|bun|pip3?|uv|cargo|gem|conda|mamba"
# between a manager and its verb stands an option with a value of its own
TOLD_MORE = re.compile(
    rf"\b(?:{MANAGERS})(?:\s+-[-\w]+(?:=\S+|\s+[^-\s]\S*)?){{1,6}}\s+(?:install|add|ci|upgrade|sync)\b"
)


def fetching(texts: Mapping[str, str]) -> dict[str, str]:
    """Return what fetches programs in texts, by path."""
    found = {path: INTO.search(text) or TOLD_MORE.search(text) for path, text in texts.items()}
    return {path: each[0] for path, each in found.items() if each}
