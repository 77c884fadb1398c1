"""A subject that is somebody else's: root carries out nothing of it that nobody vouched for.

A run carries out a subject's commands, builds its image and applies its manifests. As another user it may
do what that user may; as root whoever can write to the directory is root on the machine.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from boxproof.core import settings as settings_module
from boxproof.core.settings import OWNER, ROOT, Settings
from pytest_claims.faults import UsageError

HINT = "read what is in it, then give --trust-subject (BOXPROOF_TRUST_SUBJECT=1), or run as another user"


def trusted(settings: Settings) -> Path:
    """Return the subject's directory; raises UsageError where it is a stranger's and root is to run it.

    What a check of a run carries out is that run's own copy: the run has asked.
    """
    directory = settings.subject
    if not settings.trust_subject and not settings_module.session_file():
        why = stranger(directory)
        if why:
            raise UsageError(f"as root, what {directory} says would be run, and {why}", hint=HINT)
    return directory


def stranger(directory: Path) -> str:
    """Return why a subject is not root's own, "" where it is, or where we are not root.

    The checkout that this program runs from is what root has chosen already.
    """
    if os.geteuid() != 0 or directory.is_relative_to(ROOT):
        return ""
    own = settings_module.users_own()
    above = (directory, *directory.parents)
    tops = [each for each in above if os.path.exists(each / ".git")][:1]  # noqa: PTH110  (Path raises)
    found = (_not_own(each, own) for each in dict.fromkeys((directory, directory / OWNER, *tops)))
    return next(filter(None, found), "")


def variables(directory: Path) -> dict[str, str]:
    """Return the variable by which commands take a copy that a check made for what it is: its own."""
    return {"BOXPROOF_TRUST_SUBJECT": "1"} if stranger(directory) else {}


def _not_own(path: Path, own: frozenset[int]) -> str:
    """Return what makes a directory or a plain file another's: its owner, or that anyone may write to it."""
    try:
        found = path.stat()
    except (OSError, ValueError):  # what it lacks is told by whoever reads it
        return ""
    if not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
        return ""
    if found.st_uid not in own:
        return f"{path} belongs to the user {found.st_uid}"
    return f"anyone may write to {path}" if found.st_mode & stat.S_IWOTH else ""
