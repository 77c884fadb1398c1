"""Variables in texts, as Compose and Dockerfiles write them, and the values that a build has of its own."""

from __future__ import annotations

import platform
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

# an escaped one is none: by a dollar sign in Compose, by a backslash in a Dockerfile
VARIABLE = re.compile(
    r"(?<![$\\])\$(?:\{(?P<braced>\w+)(?:(?P<sign>:?[-?+])(?P<word>(?:[^{}]|\{[^{}]*\})*))?\}|(?P<bare>\w+))"
)
# as make, just and Task have it; a shell's has the form already that the others are brought into
OF_RUNNERS = re.compile(
    r"\$\((?:shell[ \t]+)?(\w+)\)|\{\{-?\s*\.?(\w+)\s*-?\}\}|\$\$?\{(\w+)(?::?[-=?][^}]*)?\}|\$\$?(\w+)"
)
ASSIGNED = re.compile(r"^(?:export[ \t]+)?(\w+)[ \t]*(?:::|:|\?)?=[ \t]*(.*)$", re.MULTILINE)
ARCHITECTURE = "arm64" if platform.machine() in ("aarch64", "arm64") else "amd64"
# what a builder tells of the machine that a build is for: to each FROM, and to a stage that names it
PLATFORM = {
    **dict.fromkeys(("BUILDPLATFORM", "TARGETPLATFORM"), f"linux/{ARCHITECTURE}"),
    **dict.fromkeys(("BUILDOS", "TARGETOS"), "linux"),
    **dict.fromkeys(("BUILDARCH", "TARGETARCH"), ARCHITECTURE),
    **dict.fromkeys(("BUILDVARIANT", "TARGETVARIANT"), ""),
}
SET_IN_SHELL = re.compile(r"(?:(?:^|[\s;&|({])(\w+)\+?=|\bfor\s+(\w+)\s+in\b|\bread\s+(?:-\S+\s+)*(\w+))")


def name_of(found: re.Match[str]) -> str:
    """Return the name of the variable that ``VARIABLE`` has found."""
    return str(found["braced"] or found["bare"])


def value_of(found: re.Match[str], known: Mapping[str, str]) -> str | None:
    """Return what stands for the variable that ``VARIABLE`` has found, None where only the user can say."""
    sign, own = found["sign"] or "", known.get(name_of(found))
    there = own is not None and (bool(own) or not sign.startswith(":"))
    if sign.endswith("+"):
        return filled(found["word"], known) if there else ""
    if there:
        return own
    return filled(found["word"], known) if sign.endswith("-") else None


def filled(text: str, known: Mapping[str, str] | None = None) -> str:
    """Return a text with the variables filled in that are known or have a default."""

    def told(found: re.Match[str]) -> str:
        stands = value_of(found, known or {})
        return found[0] if stands is None else stands

    return VARIABLE.sub(told, text)


def as_shell(text: str) -> str:
    """Return a text of a task file with every variable as ``${NAME}``, without its default."""
    return OF_RUNNERS.sub(lambda each: f"${{{next(filter(None, each.groups()))}}}", text)


def assigned(text: str) -> dict[str, str]:
    """Return the variables to which a Makefile or a justfile gives a value, with these."""
    told = {name: as_shell(value).strip() for name, value in ASSIGNED.findall(text)}
    return {name: value.strip("\"'") for name, value in told.items()}


@dataclass
class BuildValues:
    """What a stage knows: ``told`` by the user, ``ahead`` of the first FROM, its arguments and variables.

    A stage takes an argument that stands ahead of the first FROM by naming it.
    """

    told: Mapping[str, str]
    ahead: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    def argue(self, value: str) -> None:
        """Take what an ARG says: the user's value, else its own, else one ahead of the first FROM."""
        for each in _split(value):
            name, given, own = each.partition("=")
            choices = (
                self.told.get(name), self.filled(own) if given else None, self.ahead.get(name),
                PLATFORM.get(name),
            )  # fmt: skip
            known = [one for one in choices if one is not None]
            self.arguments |= {name: known[0]} if known else {}

    def vary(self, value: str) -> None:
        """Take what an ENV says, which counts before an ARG of the same name."""
        words = _split(value)
        if len(words) > 1 and "=" not in words[0]:  # the old form: a name, and all the rest
            words = [f"{words[0]}={' '.join(words[1:])}"]
        pairs = [each.partition("=") for each in words]
        self.variables |= {name: self.filled(own) for name, given, own in pairs if given}

    def filled(self, text: str, word: str = "") -> str:
        """Return a text with what is known filled in, but for what a RUN's shell sets itself."""
        own = (
            {one for found in SET_IN_SHELL.findall(text) for one in found if one} if word == "RUN" else set()
        )
        known = {**self.arguments, **self.variables}

        def value(found: re.Match[str]) -> str:
            name = name_of(found)
            return found[0] if name in own or name not in known else value_of(found, known) or ""

        return VARIABLE.sub(value, text)

    def base(self, text: str) -> str:
        """Return the image or stage that a FROM names, "" for what only the user can say."""
        named = next(each for each in text.split() if not each.startswith("--"))
        known = PLATFORM | {name: each for name, each in self.ahead.items() if each}
        return VARIABLE.sub(lambda found: value_of(found, known) or "", named).strip("\"'")

    def enter(self, inherited: Mapping[str, str]) -> None:
        """Begin a stage, with the variables of the one that it starts from."""
        self.arguments, self.variables = {}, dict(inherited)


def _split(value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError:  # a single quotation mark in a text
        return value.split()
