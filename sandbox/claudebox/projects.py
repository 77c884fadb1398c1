"""Which project a directory belongs to: found from what git keeps in files, without running git."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from claudebox.errors import Problem, plain

RUNS_CODE = ("hooks", "config", "config.worktree", "info/attributes")  # what git of the host would act on


class Project(NamedTuple):
    """``root`` names the project, ``workdir`` is what is bound, ``gitdirs`` what git needs besides."""

    root: str
    workdir: str
    cwd: str
    gitdirs: tuple[str, ...] = ()

    @property
    def guarded(self) -> tuple[str, ...]:
        """Git directories in reach of the sandbox, in which hooks and configuration are not to be written."""
        own = f"{self.workdir}/.git"
        mine = (own,) if os.path.isdir(own) and not os.path.islink(own) else ()
        return (*mine, *self.gitdirs)


def find(cwd: str, home: str) -> Project:
    """Return the project of ``cwd``; raises Problem for a crafted pointer and for a home directory."""
    cwd = os.path.realpath(cwd)
    at = cwd
    found = Project(cwd, cwd, cwd)
    while True:
        pointer = f"{at}/.git"
        if os.path.lexists(pointer):
            own = _of_repository(at, pointer, cwd)
            if own is not None:
                found = own
                break
        if at == "/":
            break
        at = os.path.dirname(at)
    if home == found.workdir or home.startswith(found.workdir.rstrip("/") + "/"):
        hint = "start in a directory below it: all that is in it would be in reach"
        raise Problem(f"the project is {plain(found.workdir)}, which holds your home directory", hint)
    state = f"{home}/.claudebox"
    if found.workdir == state or found.workdir.startswith(state + "/"):
        raise Problem(f"{plain(found.workdir)} is claudebox's own directory", "start in a project")
    return found


def _of_repository(at: str, pointer: str, cwd: str) -> Project | None:
    mode = os.lstat(pointer)
    if mode.st_uid != os.getuid():
        hint = "a repository of another user can run code of theirs: copy it, or `chown` it"
        raise Problem(f"{plain(pointer)} belongs to another user (uid {mode.st_uid})", hint)
    if stat.S_ISDIR(mode.st_mode):
        return Project(at, at, cwd) if os.path.isfile(f"{pointer}/HEAD") else None
    if not stat.S_ISREG(mode.st_mode):
        return Project(at, at, cwd)
    target = _pointed(pointer, at)
    if not target:
        return None
    common = _line(f"{target}/commondir")
    if common:
        return _worktree(at, pointer, target, os.path.realpath(os.path.join(target, common)), cwd)
    return _separate(at, pointer, target, cwd)


def _worktree(at: str, pointer: str, target: str, common: str, cwd: str) -> Project:
    """Return the project of a linked worktree, if its repository knows of it."""
    back = _line(f"{target}/gitdir")
    knows = os.path.realpath(os.path.join(target, back)) == os.path.realpath(pointer) if back else False
    if not knows or os.path.dirname(target) != f"{common}/worktrees":
        raise crafted(pointer, target, "git worktree repair")
    root = os.path.dirname(common) if os.path.basename(common) == ".git" else common
    return Project(root, at, cwd, (common,))


def _separate(at: str, pointer: str, target: str, cwd: str) -> Project:
    """Return the project of a submodule (or of a git directory elsewhere), which is one of its own."""
    back = ""
    for line in _text(f"{target}/config").splitlines():
        name, _, value = line.partition("=")
        if name.strip().lower() == "worktree":
            back = value.strip().strip('"')
    if not back or os.path.realpath(os.path.join(target, back)) != os.path.realpath(at):
        raise crafted(pointer, target, "git config core.worktree")
    return Project(at, at, cwd, (target,))


def crafted(pointer: str, target: str, remedy: str) -> Problem:
    """Return the problem of a pointer whose other end does not point back."""
    message = f"{plain(pointer)} points to {plain(target)}, which does not point back: refused"
    return Problem(message, f"if it was only moved: `{remedy}`")


def _pointed(pointer: str, at: str) -> str:
    text = _line(pointer)
    if not text.startswith("gitdir:"):
        return ""
    return os.path.realpath(os.path.join(at, text.removeprefix("gitdir:").strip()))


def _line(path: str) -> str:
    return (_text(path).splitlines() or [""])[0].strip()


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.read(1 << 16))
    except OSError:
        return ""
