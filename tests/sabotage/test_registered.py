"""The sabotages that this repository registers find what they edit in it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from boxproof.core.own_project import OURS
from boxproof.core.settings import ROOT
from boxproof.subject import copies, model
from pytest_claims.sabotages import SubjectSabotage

pytestmark = pytest.mark.integration

EDITS = {key: each.subject for key, each in OURS.sabotages().items() if isinstance(each, SubjectSabotage)}


def git(directory: Path, *words: str) -> str:
    argv = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", *words]
    return subprocess.run(argv, cwd=directory, check=True, capture_output=True, text=True).stdout


def put_back(directory: Path, kept: Path, changed: str) -> None:
    """Undo what ``git status --porcelain -z`` says has changed, from the files that were ``kept``."""
    for line in filter(None, changed.split("\0")):
        path = directory / line[3:]
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        if not line.startswith(("??", "!!")):
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(kept / line[3:], path, follow_symlinks=False)


def test_every_edit_of_the_subject_finds_what_it_edits(tmp_path: Path) -> None:
    """Each edit in turn in one copy of the repository, under git so that it is seen and undone in no time."""
    assert EDITS
    wrong = []
    with copies.copied(model.load(ROOT)) as subject:
        kept = Path(shutil.copytree(subject.directory, tmp_path / "kept", symlinks=True))
        git(subject.directory, "init", "--quiet")
        git(subject.directory, "add", "--all", "--force")
        git(subject.directory, "commit", "--quiet", "--message", "as it is")
        for key, edit in sorted(EDITS.items()):
            try:
                edit(subject.directory)
            except Exception as error:
                wrong.append(f"{key}: {error!r}")
            changed = git(subject.directory, "status", "--porcelain", "-z", "--ignored", "--no-renames")
            if not changed:
                wrong.append(f"{key}: changes nothing")
            put_back(subject.directory, kept, changed)
        assert git(subject.directory, "status", "--porcelain", "--ignored") == "", "not all was put back"
    assert wrong == []
