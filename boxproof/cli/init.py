"""Writes a first subject.toml for a box that has none."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from boxproof.core.own_project import OURS
from boxproof.core.settings import Settings
from boxproof.subject import detection, model, parts, subject_file
from pytest_claims import progress
from pytest_claims.faults import ExitCode, UsageError


def main(_settings: Settings, *, directory: Path, force: bool = False) -> int:
    """Write DIR/subject.toml and say what was found; raises UsageError where there is one, or no box."""
    path = directory / model.FILE
    if not directory.is_dir():
        raise UsageError(f"no directory {directory}", hint="give the top of the box's repository")
    if path.exists() and not force:
        raise UsageError(f"{path} is there already", hint="--force overwrites it")
    found = detection.detect(directory)
    if not any(each.table for each in found.facts):
        hint = "it looks for Dockerfiles, Compose files, charts and objects in YAML"
        raise UsageError(f"{directory} shows no box", hint=hint)
    before = path.read_text() if path.exists() else None
    path.write_text(subject_file.text(found))
    try:
        subject = model.load(directory)
    except UsageError:
        path.unlink() if before is None else path.write_text(before)
        raise
    absent = parts.absent(subject)
    lacks = [absent[need] for each in OURS.claims().values() for need in each.needs if need in absent]
    for line in subject_file.told(directory, found, Counter(lacks)):
        progress.say(line)
    return int(ExitCode.ACCEPTED)
