"""Variables in texts, as Compose and Dockerfiles write them: with a default, or with what stands for them."""

from __future__ import annotations

import re
from collections.abc import Mapping

# an escaped one is none: by a dollar sign in Compose, by a backslash in a Dockerfile
VARIABLE = re.compile(
    r"(?<![$\\])\$(?:\{(?P<braced>\w+)(?:(?P<sign>:?[-?+])(?P<word>(?:[^{}]|\{[^{}]*\})*))?\}|(?P<bare>\w+))"
)


def name(found: re.Match[str]) -> str:
    """Return the name of the variable that ``VARIABLE`` has found."""
    return str(found["braced"] or found["bare"])


def value(found: re.Match[str], known: Mapping[str, str]) -> str | None:
    """Return what stands for the variable that ``VARIABLE`` has found, None where only the user can say."""
    sign, own = found["sign"] or "", known.get(name(found))
    there = own is not None and (bool(own) or not sign.startswith(":"))
    if sign.endswith("+"):
        return filled(found["word"], known) if there else ""
    if there:
        return own
    return filled(found["word"], known) if sign.endswith("-") else None


def filled(text: str, known: Mapping[str, str] | None = None) -> str:
    """Return a text with the variables filled in that are known or have a default."""

    def told(found: re.Match[str]) -> str:
        stands = value(found, known or {})
        return found[0] if stands is None else stands

    return VARIABLE.sub(told, text)
