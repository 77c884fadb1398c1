"""Homes of the host that a container is given, or the state of an agent in one, in whatever words.

Another directory in a home, such as one with the work, is no state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from boxproof.kube.client import Object
from boxproof.subject.detection.findings import STATE
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
OF_USERS = re.compile(r"(?:home|Users)[\\/]*$")  # the next name is a user's
OF_DESKTOPS = "/host_mnt"  # what the desktop's engine puts before a path of the machine
# directories of a home that hold the state of many programs
HOLDERS = (
    (".config",), (".local",), (".local", "share"), ("Library",), ("Library", "Application Support"),
    ("AppData",), ("AppData", "Local"), ("AppData", "Roaming"),
)  # fmt: skip


def is_state(source: str, state: str) -> bool:
    """Return whether a path is a home of the host, or in one what is called ``state`` or holds such.

    So is what another CLI of an agent has there, and what a variable names may be.
    """
    inner = source.removeprefix(OF_DESKTOPS)
    source = inner if HOMES.match(inner) else source
    home = HOMES.match(source)
    if home is None:
        return False
    below = source[home.end() :].lstrip("})")
    while below[:1] in ("$", "%") and (again := HOMES.match(below)):  # of one system or the other
        below = below[again.end() :].lstrip("})")
    parts = [each for each in re.split(r"[\\/]+", below) if each][1 if OF_USERS.search(home[0]) else 0 :]
    if not parts or "$" in parts[0] or tuple(parts) in HOLDERS:
        return True
    told, plain_name = "/".join(parts), "" if state.startswith(".") else r"\.(?:config|local/share)/"
    own = re.search(rf"(?:^|/){plain_name}{re.escape(state)}", told)
    return own is not None or STATE.match(f"/home/{told}") is not None


def in_options(options: Sequence[str], state: str) -> list[str]:
    """Return the homes, and what is called ``state`` in one, that options of ``docker run`` mount."""
    named = [source(each) for each in values(options, "-v", "--volume")]
    for each in values(options, "--mount"):
        named += in_mount(each)
    return [each for each in named if is_state(each, state)]


def in_mount(text: str) -> list[str]:
    """Return the sources in what is mounted as "type=bind,source=…,target=…"."""
    field = dict(one.partition("=")[::2] for one in plain(text).split(","))
    return [field[name] for name in SOURCES if name in field]


def in_compose_commands(texts: Mapping[str, str], state: str) -> list[str]:
    """Return the homes that commands of texts, by their names, mount by way of Compose, or state in one."""
    found = []
    for page, text in texts.items():
        lines = (each for each in CONTINUED.sub(" ", text).splitlines() if not each.lstrip().startswith("#"))
        for rest in (each["rest"] for line in lines for each in COMPOSED.finditer(line)):
            words = rest.replace('"', "").replace("'", "").split()
            found += [f"{page}: {each}" for each in in_options(words, state)]
    return found


def in_volumes(objects: Sequence[Object], state: str) -> list[str]:
    """Return the homes, or state in one, that are volumes of a cluster, which pods mount by a claim."""
    specs = [each.get("spec") or {} for each in objects if each["kind"] == "PersistentVolume"]
    paths = [str((spec.get(key) or {}).get("path", "")) for spec in specs for key in LOCAL]
    return [each for each in paths if is_state(each, state)]


def in_compose(content: Mapping[str, Any], state: str) -> list[str]:
    """Return the homes, or state in one, that a Compose file mounts.

    That is by services, named volumes, secrets and configs.
    """
    return [each for each in map(plain, _named(content)) if is_state(each, state)]


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
