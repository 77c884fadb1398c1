"""What becomes of the traps in a shell script, read from its text."""

from __future__ import annotations

import re
from enum import StrEnum

TRAP = re.compile(
    r"^\s*(?:\S+\s*(?:&&|;)\s*)?trap\s+(?P<handler>'[^']*'|\"[^\"]*\"|[\w-]+)"
    r"(?P<signals>(?:\s+(?:SIG)?[A-Z]+|\s+\d+)+)",
    re.MULTILINE,
)
EXEC = re.compile(r"(?:^|[;&|{(]|\bthen|\bdo|\belse|\))\s*exec\s+(?![\d{]*[<>&])[^\s]", re.MULTILINE)
WAIT = re.compile(r"(?:^|[;&|{]|\bdo|\bwhile|\buntil|\bif)\s*wait\b", re.MULTILINE)
VARIABLE = re.compile(r"\$(?:(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?P<rest>[^}]*)\})")
COUNTED = frozenset({"TERM", "INT", "EXIT", "HUP", "QUIT", "0", "1", "2", "3", "15"})


class Trap(StrEnum):
    """The fate of a script's traps; only the first two are sound."""

    NONE = "no trap"
    LIVE = "runs at once, beside a child that is waited for"
    DISCARDED = "discarded by a later exec"
    BLOCKED = "held up by a foreground child"
    UNASSIGNED = "its handler uses a variable nothing assigns"


SOUND = frozenset({Trap.NONE, Trap.LIVE})


def fate(script: str, *, given: frozenset[str] = frozenset()) -> Trap:
    """Return what becomes of the traps in ``script``; ``given`` are variables of its environment."""
    text = _without_comments(script)
    found = [
        each
        for each in TRAP.finditer(text)
        if each["handler"] != "-" and COUNTED & set(each["signals"].replace("SIG", "").split())
    ]
    if not found:
        return Trap.NONE
    if any(EXEC.search(text, each.end()) for each in found):
        return Trap.DISCARDED
    if any(_unassigned(each["handler"], text, given) for each in found):
        return Trap.UNASSIGNED
    only_exit = all(set(each["signals"].split()) <= {"EXIT", "0"} for each in found)
    if only_exit or all(WAIT.search(text, each.end()) for each in found):
        return Trap.LIVE
    return Trap.BLOCKED


def _without_comments(script: str) -> str:
    lines = (each for each in script.splitlines() if not each.lstrip().startswith("#"))
    return re.sub(r"\\\n", " ", "\n".join(lines))


def _unassigned(handler: str, text: str, given: frozenset[str]) -> set[str]:
    body = handler.strip("'\"")
    function = re.search(
        rf"^\s*(?:function\s+)?{re.escape(body)}\s*\(\)\s*\{{(.*?)^\s*\}}", text, re.M | re.S
    )
    if function is None:
        function = re.search(rf"^\s*(?:function\s+)?{re.escape(body)}\s*\(\)\s*\{{(.*?)\}}", text, re.M)
    body = function[1] if function else body
    used = {
        each["plain"] or each["braced"]
        for each in VARIABLE.finditer(body)
        if not (each["rest"] or "").startswith((":-", "-", ":+", "+"))
    }
    return {each for each in used - given if not _assigned(each, text)}


def _assigned(name: str, text: str) -> bool:
    way = rf"(?:^|[\s;&|(]){name}(?:\+)?=|\bread\b[^\n;]*\b{name}\b|\bfor\s+{name}\b|-v\s+{name}\b"
    return re.search(way, text, re.MULTILINE) is not None
