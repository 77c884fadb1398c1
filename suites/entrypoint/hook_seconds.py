"""How long a command of a hook waits: what it sleeps, as often as it does, or until something happens."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from boxproof.subject.variables import filled

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
SLEEPS = re.compile(r"\bsleep[\s(]+(?P<number>\d+(?:\.\d+)?|inf\w*)(?P<unit>[smhd]?)")
# no more than so long, whatever is behind it
BOUND = re.compile(
    r"\btimeout\s+(?:-\S+\s+)*(?P<number>\d+(?:\.\d+)?)(?P<unit>[smhd]?)\s+(?P<rest>.*)", re.DOTALL
)
# goes on until another process ends or says something; `while read` goes through what is there
FOLLOWS = re.compile(r"\btail\b[^;&|]*\s(?:--follow|--pid|-\w*[fF]\b)|\bwaitpid\b|\binotifywait\b")
LOOP = re.compile(
    r"\b(?P<kind>while|until|for)\b(?P<head>.*?)[;\n]\s*do\b(?P<body>.*?)\bdone\b"  # a shell's
    r"|\b(?P<other>while)\s+(?P<test>[^:\n]+):(?P<rest>.*)",  # of Python
    re.DOTALL,
)
READS = re.compile(r"^\s*(?:IFS=\S*\s+)?read\b")
COUNTED = re.compile(r"-(?:l[te]|g[te])\s+\"?(?P<times>\d+)")  # [ "$i" -lt 5 ]
LISTED = re.compile(r"^\s*\w+\s+in\s+(?P<words>.*)$", re.DOTALL)
NUMBERS = re.compile(r"^(?:\$\(\s*seq\s+(?:1\s+)?(?P<last>\d+)\s*\)|\{1\.\.(?P<end>\d+)\})$")
UNKNOWN = re.compile(r"[$*`]")


def waited(command: str, variables: Mapping[str, str]) -> float:
    """Return the seconds that a command waits; infinity where nothing in it says an end."""
    return _waited(filled(command, variables))


def _waited(text: str) -> float:
    if bound := BOUND.search(text):
        most = _amount(bound)
        return _waited(text[: bound.start()]) + min(most, _waited(bound["rest"]))
    if loop := LOOP.search(text):
        inside = _looped(loop)
        return _waited(text[: loop.start()]) + inside + _waited(text[loop.end() :])
    if FOLLOWS.search(text):
        return math.inf
    return sum(_amount(each) for each in SLEEPS.finditer(text))


def _looped(loop: re.Match[str]) -> float:
    """Return how long a loop waits: that of its body, as many times as are said."""
    if loop["other"]:
        return math.inf
    body = _waited(loop["body"])
    if loop["kind"] == "for":
        return _times(loop["head"]) * body if body else 0.0
    if READS.search(loop["head"]):  # as many lines as there happen to be
        return math.inf if body else 0.0
    counted = COUNTED.search(f"{loop['head']} {loop['body']}")
    return float(counted["times"]) * body if counted else math.inf


def _times(head: str) -> float:
    listed = LISTED.search(head)
    words = listed["words"].strip() if listed else ""
    if numbers := NUMBERS.match(words):
        return float(numbers["last"] or numbers["end"])
    return math.inf if not listed or UNKNOWN.search(words) else float(len(words.split()))


def _amount(found: re.Match[str]) -> float:
    return float(found["number"]) * UNITS[found["unit"]]
