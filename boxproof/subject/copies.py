"""The tag a subject's build gives its image, and copies of the subject to see it follow the content."""

from __future__ import annotations

import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
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
EDITS = ("mode", "new file", "new link", "link elsewhere", "renamed", "removed")
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


def inputs(subject: Subject) -> list[str]:
    """Return every file that an image is made of: the context, the recipe and the list of tools."""
    context = subject.directory / subject.image.context
    found = {each for each in context.rglob("*") if each.is_file() and not each.is_symlink()}
    found = {each for each in found if not set(LEFT_OUT) & set(each.relative_to(context).parts)}
    found |= {subject.directory / each for each in (subject.image.dockerfile, subject.image.tools) if each}
    return sorted(str(each.relative_to(subject.directory)) for each in found if each.is_file())


def followed(subject: Subject, edit: str) -> dict[str, bool]:
    """Return whether the tag changes with one edit, which no commit knows of; an observation.

    ``edit`` is one of EDITS, "none", or the path of a file that gets one more line.
    """
    with copied(subject) as copy:
        before = tag_of(copy)
        _edit(copy, edit)
        changed = {"changed": tag_of(copy) != before}
    observations.record("tag after an edit", edit, changed)
    return changed


def unfollowed(subject: Subject, edits: Sequence[str]) -> list[str]:
    """Return the edits, each on its own, after which the tag stays; an observation.

    An edit is "none" or the path of a file that gets one more line, which is undone in the same copy.
    """
    left = []
    with copied(subject) as copy:
        before = tag_of(copy)
        for edit in edits:
            path = copy.directory / edit
            content = path.read_bytes() if edit != "none" else b""
            _edit(copy, edit)
            if tag_of(copy) == before:
                left.append(edit)
            if edit != "none":
                path.write_bytes(content)
    observations.record("edits that leave the tag", f"{len(edits)} edits", left)
    return left


def _edit(copy: Subject, edit: str) -> None:
    context = copy.directory / copy.image.context
    victim = _own_file(copy)
    if edit == "mode":
        victim.chmod(victim.stat().st_mode ^ stat.S_IXUSR)
    elif edit == "new file":
        (context / "one-more").write_text("more\n")
    elif edit == "new link":
        (context / "one-more").symlink_to("anything")
    elif edit == "link elsewhere":
        content = victim.read_bytes()
        victim.unlink()
        victim.with_name("aside").write_bytes(content)
        victim.symlink_to("aside")
    elif edit == "renamed":
        victim.rename(victim.with_name(f"{victim.name}-renamed"))
    elif edit == "removed":
        victim.unlink()
    elif edit != "none":
        with (copy.directory / edit).open("ab") as file:
            file.write(b"# one more line\n")


def _own_file(copy: Subject) -> Path:
    """Return a file of the context that is not the recipe: an entrypoint, else the first."""
    named = [copy.directory / each for each in copy.image.entrypoints]
    context = copy.directory / copy.image.context
    every = [*named, *sorted(each for each in context.rglob("*") if each.is_file())]
    recipe = copy.directory / copy.image.dockerfile
    found = next((each for each in every if each != recipe and each.is_file()), None)
    if found is None:
        raise SubjectFault(f"{copy.image.context} holds nothing but the recipe")
    return found
