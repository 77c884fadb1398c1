"""A stream of events as browsers read it, by the standard of server-sent events."""

from __future__ import annotations

import re

END_OF_LINE = re.compile(r"\r\n|\r|\n")


def names_of(text: str) -> list[str]:
    """Return the names of a stream's events as browsers read them; one without a name is a message."""
    names, name, data = [], "", False
    for line in END_OF_LINE.split(text):
        field, _, value = line.partition(":")
        if field == "event":
            name = value.removeprefix(" ")
        elif field == "data":
            data = True
        elif not line:
            names += [name or "message"] * data
            name, data = "", False
    return names
