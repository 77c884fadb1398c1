"""The distribution's packages in an image: what is installed, why, and what installing left behind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from boxproof.subject.image.layers import Layer

LEFT_BEHIND = re.compile(r"(^|/)var/(lib/apt/lists/.*_(Packages|Sources|InRelease)|cache/apt/.*\.(deb|bin)$)")
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")


@dataclass(frozen=True)
class Package:
    """An installed package; ``needs`` are its dependencies, each as the names of which one is enough."""

    name: str
    version: str
    needs: tuple[tuple[str, ...], ...] = ()
    provides: tuple[str, ...] = ()


def left_behind(layers: Iterable[Layer]) -> list[str]:
    """Return the package lists and archives in any layer, also those that a later one deletes."""
    names = {name for layer in layers for name in layer.files if "/.wh." not in name}
    return sorted(each for each in names if LEFT_BEHIND.search(each))


def installed(status: str) -> dict[str, Package]:
    """Return the installed packages in the text of dpkg's status file, by name."""
    found = {}
    for block in status.split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+): (.*(?:\n .*)*)", block, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            made = _package(fields)
            found[made.name] = made
    return found


def unneeded(have: Mapping[str, Package], wanted: Iterable[str]) -> list[str]:
    """Return the packages that are neither wanted nor, by a chain of dependencies, needed by one that is."""
    by_name: dict[str, set[str]] = {each: {each} for each in have}
    for each in have.values():
        for provided in each.provides:
            by_name.setdefault(provided, set()).add(each.name)
    reached: set[str] = set()
    ahead = [found for each in wanted for found in by_name.get(each, ())]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += [found for need in have[name].needs for one in need for found in by_name.get(one, ())]
    return sorted(set(have) - reached)


def named(words: Iterable[str]) -> set[str]:
    """Return every name in the words of an install: "a=1", "a:any" and "$(… echo a)" all name a."""
    return {name for word in words for name in NAME.findall(re.sub(r"[=:/][^\s()]*", " ", word))}


def _package(fields: Mapping[str, str]) -> Package:
    needs = ",".join(fields.get(each, "") for each in ("Pre-Depends", "Depends"))
    return Package(
        name=fields["Package"],
        version=fields.get("Version", ""),
        needs=tuple(tuple(map(_bare, each.split("|"))) for each in needs.split(",") if each.strip()),
        provides=tuple(_bare(each) for each in fields.get("Provides", "").split(",") if each.strip()),
    )


def _bare(text: str) -> str:
    return re.split(r"[\s(:]", text.strip(), maxsplit=1)[0]
