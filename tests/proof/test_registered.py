"""The sabotages that this repository registers find what they edit in it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxproof.proof import sabotages
from boxproof.settings import ROOT
from boxproof.subject import model, tags

EDITS = {key: each.subject for key, each in sabotages.load().items() if each.subject}


def git(directory: Path, *words: str) -> str:
    argv = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", *words]
    return subprocess.run(argv, cwd=directory, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def copied() -> Iterator[Path]:
    """A copy of the repository, under git so that an edit is seen and undone in no time."""
    with tags.copied(model.load(ROOT)) as subject:
        git(subject.directory, "init", "--quiet")
        git(subject.directory, "add", "--all", "--force")
        git(subject.directory, "commit", "--quiet", "--message", "as it is")
        yield subject.directory


@pytest.mark.parametrize("key", sorted(EDITS))
def test_an_edit_of_the_subject_finds_what_it_edits(key: str, copied: Path) -> None:
    edit = EDITS[key]
    assert edit is not None
    edit(copied)
    changed = git(copied, "status", "--porcelain")
    git(copied, "reset", "--quiet", "--hard")
    git(copied, "clean", "--quiet", "--force", "-d", "-x")
    assert changed
