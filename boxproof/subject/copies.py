"""The tag a subject's build gives its image, and copies of the subject to see it follow the content."""

from __future__ import annotations

import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from boxproof.core.process import run
from boxproof.core.session import LockInfo
from boxproof.subject import model
from boxproof.subject.image import image_build
from boxproof.subject.model import Subject
from pytest_claims.faults import SubjectFault
from pytest_claims.recording import observations

LEFT_OUT = (".git", ".venv", ".nox", "__pycache__", ".*_cache", "*.egg-info")
REPORTS = "reports"  # at the top alone: below it may be a package of that name


def left_out(root: Path) -> Callable[[str, list[str]], set[str]]:
    """Return what copies of the subject in ``root`` leave out, as ``shutil.copytree`` asks for it."""
    everywhere = shutil.ignore_patterns(*LEFT_OUT)

    def ignore(directory: str, names: list[str]) -> set[str]:
        top = {REPORTS} if Path(directory) == root else set()
        return set(everywhere(directory, names)) | top & set(names)

    return ignore


@contextmanager
def copied(subject: Subject) -> Iterator[Subject]:
    """Give a copy of ``subject``, edits and all, that may be changed."""
    with tempfile.TemporaryDirectory(prefix="boxproof-subject-") as below:
        target = Path(below) / "subject"
        shutil.copytree(subject.directory, target, symlinks=True, ignore=left_out(subject.directory))
        yield model.load(target)


def tag_of(subject: Subject, base: str = "", lock: LockInfo | None = None) -> str:
    """Return the tag a build of ``subject`` would give its image; raises SubjectFault if it cannot tell.

    ``base`` is the digest of the image it stands on, ``lock`` its package lock as it is in force.
    """
    if not subject.commands.tag:
        return image_build.tag(subject, base, lock)
    result = run(subject.commands.tag, cwd=subject.directory, timeout=60, check=False)
    if not result.ok or not result.stdout.strip():
        raise SubjectFault(f"commands.tag prints no tag: {result.describe()}")
    return result.stdout.split()[0]


def follows(subject: Subject, edit: str) -> bool:
    """Return whether the tag changes with one edit of a file, which no commit knows of; an observation.

    ``edit`` is "none", "mode", "new file", or the path of a file that gets one more line.
    """
    with copied(subject) as copy:
        before = tag_of(copy)
        context = copy.directory / copy.image.context
        if edit == "mode":
            first = copy.directory / copy.image.entrypoints[0]
            first.chmod(first.stat().st_mode ^ stat.S_IXUSR)
        elif edit == "new file":
            (context / "one-more").write_text("more\n")
        elif edit != "none":
            with (copy.directory / edit).open("a") as file:
                file.write("# one more line\n")
        changed = tag_of(copy) != before
    observations.record("tag", edit, {"changed": changed})
    return changed
