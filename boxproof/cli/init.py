"""Writes a first subject.toml for a box that has none, each line with its source as a comment."""

from __future__ import annotations

import json
import os
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from boxproof.cli import box_files
from boxproof.core.own_project import OURS
from boxproof.core.settings import Settings
from boxproof.subject import model, parts
from boxproof.subject.detection import signs
from boxproof.subject.detection.directory import Directory
from boxproof.subject.detection.findings import Detected
from pytest_claims import progress
from pytest_claims.faults import ExitCode, UsageError, mistakes, no_room, one_line
from pytest_claims.selection import is_directory, there

HEAD = "# Written by `boxproof init`: each line says what shows it. Paths are relative to this file."
SHOWN = 16  # reasons
# what may start a container, by names of files
UNREAD = {
    "*.tf": "Terraform", "devfile.yaml": "a devfile", ".devfile.yaml": "a devfile", "Vagrantfile": "Vagrant",
    "*.nomad": "a job of Nomad", "*.container": "a Quadlet",
}  # fmt: skip
ORDER = ("", "image", "manifests", "chart", "compose", "start", "commands")


def main(_settings: Settings, *, directory: Path, force: bool = False) -> int:
    """Write DIR/subject.toml and say what was found; raises UsageError where there is one, or no box."""
    path = directory / model.FILE
    if not is_directory(directory):
        raise UsageError(f"no directory {directory}", hint="give the top of the box's repository")
    if there(path) and not force:
        raise UsageError(f"{path} is there already", hint="--force overwrites it")
    if there(path) and not path.is_file():
        raise UsageError(f"{path} is no file", hint="move away what is in its place")
    with box_files.reading(directory, "mend it, or move it away"):
        found = signs.detect(directory)
    if not any(each.table not in ("", "commands") for each in found.facts):
        hint = (
            "it looks for Dockerfiles, files of Compose and Bake, development containers, images of Nix,"
            " charts and objects in YAML; an image that something else makes is named by [image] reference"
            f"{_unread(directory)}"
        )
        raise UsageError(f"{directory} shows no box", hint=hint)
    _take_back(found, directory)
    subject = _written(path, text(found))
    absent = parts.absent(subject)
    lacks = [absent[need] for each in OURS.claims().values() for need in each.needs if need in absent]
    for line in told(directory, found, Counter(lacks)):
        progress.say(line)
    return int(ExitCode.ACCEPTED)


def _unread(directory: Path) -> str:
    """Return which file may start a box in a language that is not read here, "" for none."""
    told = (
        f"; {path} is {UNREAD[pattern]}, which it does not read"
        for path in Directory(directory).files
        for pattern in UNREAD
        if path.match(pattern)
    )
    return next(told, "")


def _take_back(found: Detected, directory: Path) -> None:
    """Make a remark of each value that subject.toml does not take: a variable, a relative path."""
    told: dict[str, Any] = {"directory": directory}
    for fact in found.facts:
        (told.setdefault(fact.table, {}) if fact.table else told)[fact.key] = fact.value
    try:
        model.Subject.model_validate(told)
    except ValidationError as error:
        for fact in list(found.facts):
            place = (fact.table, fact.key) if fact.table else (fact.key,)
            own = [each for each in error.errors() if each["loc"][: len(place)] == place]
            if own and fact.key != "name":  # without one there is no file
                found.drop(".".join(place))
                found.remarks.append(f"{fact.source}: {mistakes(own, model.Subject)}")


def _written(path: Path, content: str) -> model.Subject:
    """Write the file and return the subject it makes; raises UsageError, and then all is as it was."""
    try:
        before = path.read_bytes() if path.is_file() else None
        _put(path, content.encode())
    except OSError as error:
        if no_room(error):
            raise
        hint = "give a directory that you may write to"
        raise UsageError(f"{path}: {error.strerror}", hint=hint) from error
    except UnicodeEncodeError as error:
        told = f"{path.parent} has a name that is not UTF-8: {content[error.start - 40 : error.end + 40]!r}"
        raise UsageError(told, hint="rename it") from error
    try:
        return model.load(path.parent)
    except UsageError as error:
        path.unlink() if before is None else _put(path, before)
        told = f"what is in {path.parent} makes no {path.name}: {one_line(error)}"
        raise UsageError(told, hint="rename what it names") from error


def _put(path: Path, content: bytes) -> None:
    """Write a file at once: where there is no room for it the one before stays."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def text(found: Detected) -> str:
    """Return the file."""
    lines = [HEAD]
    for table in ORDER:
        own = [each for each in found.facts if each.table == table]
        if own and table:
            lines += ["", f"[{table}]"]
        lines += [f"{each.key} = {_toml(each.value)}  # {' '.join(each.source.split())}" for each in own]
    if found.remarks:
        lines += ["", "# To look at:", *(f"# - {each}" for each in found.remarks)]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    """Return a value as TOML has it on one line; text as JSON writes it is text of TOML too."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(name)} = {_toml(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, bool | int):
        return json.dumps(value)
    return json.dumps(str(value), ensure_ascii=False)


def _key(name: object) -> str:
    return json.dumps(str(name))


def told(directory: Path, found: Detected, lacking: Mapping[str, int]) -> Iterator[str]:
    """Give the lines that a person reads: what was found, what was not, and the next step.

    ``lacking`` is how many claims are not applicable, by the reason.
    """
    yield f"{len(found.facts)} lines from what is there:"
    for each in found.facts:
        name = f"{each.table}.{each.key}".lstrip(".")
        yield f"  {name:24}{_toml(each.value):40} {each.source}"
    if found.remarks:
        yield "to look at:"
        yield from (f"  {each}" for each in found.remarks)
    if lacking:
        yield "not found, and what that makes not applicable:"
        rows = sorted(lacking.items(), key=lambda row: -row[1])
        yield from (f"  {count:3} claims: {why}" for why, count in rows[:SHOWN])
        if rows[SHOWN:]:
            yield f"  and {len(rows) - SHOWN} more reasons, each beside its claims in the report"
    yield f"next: boxproof e2e --subject {shlex.quote(str(directory))} --stage static"
