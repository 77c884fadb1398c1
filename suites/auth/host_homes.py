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
# of Linux, macOS and Windows, as shells, Make, PowerShell and editors name it, and as machines mount it
HOME = (
    r"(?:~|\$[({]?(?:(?:HOST|USER|LOCAL|REAL)_)?HOME\b|\$[({]?(?:[Ee]nv:)?USERPROFILE\b|%USERPROFILE%"
    r"|%HOME(?:DRIVE|PATH)%|\$\{localEnv:(?:HOME|USERPROFILE)\b|/root\b|(?:/var)?/home/|/Users/"
    r"|[A-Za-z]:[\\/]+Users\b|(?:/mnt|/host_mnt|/run/desktop/mnt/host)?/[a-z]/Users/|/host_mnt/)"
)
HOMES = re.compile(HOME)
# a colon that parts no source from its target
DRIVE = re.compile(r"[A-Za-z]:[\\/]|\$\{?[Ee]nv:|\$\{localEnv:")
SOURCES = ("source", "src")


def in_options(options: Sequence[str]) -> list[str]:
    """Return the homes that options of ``docker run`` mount."""
    named = [source(each) for each in values(options, "-v", "--volume")]
    for each in values(options, "--mount"):
        named += in_mount(each)
    return [each for each in named if HOMES.match(each)]


def in_mount(text: str) -> list[str]:
    """Return the sources in what is mounted as "type=bind,source=…,target=…"."""
    field = dict(one.partition("=")[::2] for one in plain(text).split(","))
    return [field[name] for name in SOURCES if name in field]


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
    text = plain(str(volume))
    drive = DRIVE.match(text)
    start = drive.end() if drive else 0
    rest, colon, _ = text[start:].partition(":")
    return text[:start] + rest if colon else ""


def _named(content: Mapping[str, Any]) -> Iterator[str]:
    for service in (content.get("services") or {}).values():
        for each in (service or {}).get("volumes") or ():
            yield source(each)
    for volume in (content.get("volumes") or {}).values():
        yield str(((volume or {}).get("driver_opts") or {}).get("device", ""))
    for kind in ("secrets", "configs"):
        for each in (content.get(kind) or {}).values():
            yield str((each or {}).get("file", ""))
