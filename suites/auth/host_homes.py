"""Homes of the host that a container is given, in whatever words: options of an engine, files of Compose."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from boxproof.kube.client import Object
from boxproof.subject.documented_commands import CONTINUED, values
from suites.agent_starts import plain

COMPOSED = re.compile(r"\bdocker(?:-| +)compose\b(?P<rest>[^\n`]*)")
LOCAL = ("hostPath", "local")  # volumes of a directory of the node's
HOMES = re.compile(r"^(~|\$\{?HOME\b|/root\b|/home/|/Users/)")
SOURCES = ("source", "src")


def in_options(options: Sequence[str]) -> list[str]:
    """Return the homes that options of ``docker run`` mount."""
    named = [plain(each).partition(":")[0] for each in values(options, "-v", "--volume")]
    for each in values(options, "--mount"):
        field = dict(one.partition("=")[::2] for one in plain(each).split(","))
        named += [field[name] for name in SOURCES if name in field]
    return [each for each in named if HOMES.match(each)]


def in_compose_commands(texts: Mapping[str, str]) -> list[str]:
    """Return the homes that commands of texts, by their names, mount by way of Compose."""
    found = []
    for page, text in texts.items():
        lines = (each for each in CONTINUED.sub(" ", text).splitlines() if not each.lstrip().startswith("#"))
        for rest in (each["rest"] for line in lines for each in COMPOSED.finditer(line)):
            words = rest.replace('"', "").replace("'", "").split()
            found += [f"{page}: {each}" for each in in_options(words)]
    return found


def in_volumes(objects: Sequence[Object]) -> list[str]:
    """Return the homes that are volumes of a cluster, which pods mount by a claim."""
    specs = [each.get("spec") or {} for each in objects if each["kind"] == "PersistentVolume"]
    paths = [str((spec.get(key) or {}).get("path", "")) for spec in specs for key in LOCAL]
    return [each for each in paths if HOMES.match(each)]


def in_compose(content: Mapping[str, Any]) -> list[str]:
    """Return the homes that a Compose file mounts: by services, named volumes, secrets and configs."""
    return [each for each in map(plain, _named(content)) if HOMES.match(each)]


def source(volume: object) -> str:
    """Return what a volume of a service is of the host; a place of the container alone is of no host."""
    if isinstance(volume, Mapping):
        return str(volume.get("source", "")) if volume.get("type", "bind") == "bind" else ""
    source, colon, _ = plain(str(volume)).partition(":")
    return source if colon else ""


def _named(content: Mapping[str, Any]) -> Iterator[str]:
    for service in (content.get("services") or {}).values():
        for each in (service or {}).get("volumes") or ():
            yield source(each)
    for volume in (content.get("volumes") or {}).values():
        yield str(((volume or {}).get("driver_opts") or {}).get("device", ""))
    for kind in ("secrets", "configs"):
        for each in (content.get(kind) or {}).values():
            yield str((each or {}).get("file", ""))
