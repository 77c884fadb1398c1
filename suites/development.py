"""The containers for development that editors make of the box: what they start, add and give it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from boxproof.subject import documented_commands
from boxproof.subject.detection import devcontainer
from boxproof.subject.detection.directory import Directory
from boxproof.subject.manifests import starting
from boxproof.subject.manifests.plain_yaml import mapping
from boxproof.subject.model import Subject

# commands that are carried out in it, by the editor
STARTED = (
    "onCreateCommand", "updateContentCommand", "postCreateCommand", "postStartCommand", "postAttachCommand",
)  # fmt: skip
USERS = ("containerUser", "remoteUser")
ROOT = re.compile(r"^(root|0+)(:.*)?$")
OF_A_CLI = re.compile(r"\bclaude\b")  # a feature that brings it
INSTALLS_ONE = re.compile(
    r"@anthropic-ai/claude-|claude\.(?:ai|com)/install|\bclaude (?:update|install)\b|\bclaude-agent-sdk\b"
)
UNCONFINED = re.compile(
    r"(?:seccomp|apparmor|systempaths)[:=]unconfined|label[:=]disable|no-new-privileges[:=](?:0|f|false)",
    re.IGNORECASE,
)
OF_THE_MACHINE = ("--network", "--net", "--pid", "--ipc", "--userns", "--uts", "--cgroupns")
ENGINE_INSIDE = re.compile(r"\bdocker-in-docker\b")  # a feature that makes the container a privileged one

Description = Mapping[str, Any]


def of_the_box(subject: Subject) -> dict[str, dict[str, Any]]:
    """Return the descriptions of development containers that are made of the box, by their paths."""
    found = devcontainer.files(Directory(subject.directory))
    return {str(path): told for path, told in found if _is_of(subject, path, told)}


def _is_of(subject: Subject, path: Path, told: Description) -> bool:
    build, composed = mapping(told.get("build")), told.get("dockerComposeFile") or ()
    named = [build.get("dockerfile") or told.get("dockerFile")]
    named += [composed] if isinstance(composed, str) else composed
    places = {os.path.normpath(path.parent / str(each)) for each in named if each}
    own = {os.path.normpath(each) for each in (subject.image.dockerfile, subject.compose.file) if each}
    image = PurePosixPath(starting.repository(str(told.get("image") or ""))).name
    return bool(places & own) or (bool(image) and image == subject.image.name)


def other_clis(told: Description) -> list[str]:
    """Return the features, and the commands, by which another CLI comes into a container."""
    features = [each for each in mapping(told.get("features")) if OF_A_CLI.search(str(each))]
    commands = [one for key in STARTED for one in _words(told.get(key)) if INSTALLS_ONE.search(one)]
    return [*features, *commands]


def users(told: Description) -> list[str]:
    """Return the users by whom a container, or what an editor starts in it, is root's."""
    named = [str(told[each]) for each in USERS if told.get(each) is not None]
    named += documented_commands.values(_options(told), "--user", "-u")
    return [each for each in named if ROOT.match(each)]


def rights(told: Description) -> list[str]:
    """Return what a description gives a container of what confines it."""
    words = _options(told)
    privileged = told.get("privileged") or {"--privileged", "--privileged=true"} & set(words)
    return [
        *(["privileged"] if privileged else []),
        *(f"adds {each}" for each in told.get("capAdd") or ()),
        *(f"adds {each}" for each in documented_commands.values(words, "--cap-add")),
        *(each for each in _security(told, words) if UNCONFINED.search(each)),
        *(f"{each} host" for each in OF_THE_MACHINE if "host" in documented_commands.values(words, each)),
        *(f"device {each}" for each in documented_commands.values(words, "--device")),
        *(str(each) for each in mapping(told.get("features")) if ENGINE_INSIDE.search(str(each))),
    ]


def _security(told: Description, words: Sequence[str]) -> list[str]:
    return [
        *map(str, told.get("securityOpt") or ()),
        *documented_commands.values(words, "--security-opt"),
    ]


def _options(told: Description) -> list[str]:
    listed = told.get("runArgs")
    return [str(each) for each in listed] if isinstance(listed, list) else []


def _words(value: object) -> Iterator[str]:
    """Give the commands of one that is a text, a list of words, or several by their names."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield " ".join(map(str, value))
    elif isinstance(value, dict):
        for each in value.values():
            yield from _words(each)
