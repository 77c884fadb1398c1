"""The sabotages that this repository registers find what they edit in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from boxproof.core.own_project import OURS
from boxproof.core.settings import ROOT
from boxproof.subject import copies, model
from pytest_claims.sabotages import SubjectSabotage

EDITS = {key: each.subject for key, each in OURS.sabotages().items() if isinstance(each, SubjectSabotage)}


def git(directory: Path, *words: str) -> str:
    argv = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", *words]
    return subprocess.run(argv, cwd=directory, check=True, capture_output=True, text=True).stdout


def test_every_edit_of_the_subject_finds_what_it_edits() -> None:
    """Each edit in turn in one copy of the repository, under git so that it is seen and undone in no time."""
    assert EDITS
    wrong = []
    with copies.copied(model.load(ROOT)) as subject:
        git(subject.directory, "init", "--quiet")
        git(subject.directory, "add", "--all", "--force")
        git(subject.directory, "commit", "--quiet", "--message", "as it is")
        for key, edit in sorted(EDITS.items()):
            try:
                edit(subject.directory)
            except Exception as error:
                wrong.append(f"{key}: {error!r}")
            if not git(subject.directory, "status", "--porcelain"):
                wrong.append(f"{key}: changes nothing")
            git(subject.directory, "reset", "--quiet", "--hard")
            git(subject.directory, "clean", "--quiet", "--force", "-d", "-x")
    assert wrong == []
