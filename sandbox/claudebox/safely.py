"""Files and directories that only their owner can have made: each step is opened, then checked, then used."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from claudebox.errors import Problem, plain

OTHERS = 0o022
LARGEST = 1 << 20  # bytes of a file that is read whole


def home() -> str:
    """Return the user's home, without symbolic links; raises Problem where there is none."""
    found = os.environ.get("HOME", "")
    if not found.startswith("/"):
        import pwd

        try:
            found = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            raise Problem("this user has no home directory", "set HOME") from None
    found = os.path.realpath(found)
    if not os.path.isdir(found) or found == "/":
        raise Problem(f"the home directory {plain(found)} cannot be used", "set HOME to a directory of yours")
    return found


def top() -> str:
    """Return the directory of everything claudebox keeps."""
    return f"{home()}/.claudebox"


def _checked(fd: int, path: str, *, directory: bool, private: bool = False) -> int:
    found = os.fstat(fd)
    problem = ""
    if not (stat.S_ISDIR if directory else stat.S_ISREG)(found.st_mode):
        problem = "is no directory" if directory else "is no regular file"
    elif found.st_uid != os.getuid():
        problem = f"belongs to another user (uid {found.st_uid})"
    elif found.st_mode & (0o077 if private else OTHERS):
        problem = (
            f"can be {'entered' if private else 'written'} by others (mode {found.st_mode & 0o7777:04o})"
        )
    if not problem:
        return fd
    os.close(fd)
    mode = "u=rwX,go=" if private or not directory else "go-w"
    raise Problem(f"{plain(path)} {problem}: refused", f"look who made it; then `chown`, or `chmod {mode}`")


def _open(name: str, flags: int, path: str, at: int | None = None) -> int:
    try:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=at)
    except FileNotFoundError:
        raise
    except OSError as error:
        link = os.path.islink(path)
        why = "is a symbolic link" if link else f"cannot be opened: {error.strerror}"
        raise Problem(f"{plain(path)} {why}: refused", "replace it by what it is meant to be") from None


def directory(path: str, *, make: bool = False, private: bool = False) -> int:
    """Return a descriptor of a directory below the home, each step of the way checked.

    ``make`` creates what is missing with mode 0700; ``private`` wants the last one closed to others.
    Raises Problem for a symbolic link, another owner or a mode that lets others write; FileNotFoundError.
    """
    start = home()
    steps = os.path.relpath(path, start).split("/")
    if steps[0] == "..":
        raise Problem(f"{plain(path)} is not below {plain(start)}")
    at = _checked(os.open(start, os.O_DIRECTORY | os.O_CLOEXEC), start, directory=True)
    walked = start
    for step in steps:
        walked = f"{walked}/{step}"
        if make:
            with suppress(FileExistsError):
                os.mkdir(step, 0o700, dir_fd=at)
        try:
            below = _open(step, os.O_DIRECTORY, walked, at)
        finally:
            os.close(at)
        at = _checked(below, walked, directory=True, private=private and walked == path)
    return at


def read(path: str) -> bytes:
    """Return the content of a file below the home, the very one that was checked; errors as ``directory``."""
    parent, name = os.path.split(path)
    at = directory(parent)
    try:
        fd = _open(name, os.O_RDONLY, path, at)
    finally:
        os.close(at)
    with open(_checked(fd, path, directory=False), "rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise Problem(f"{plain(path)} is larger than {LARGEST} bytes: refused")
    return data


def replace(at: int, name: str, data: bytes) -> None:
    """Write a file of mode 0600 into the directory ``at`` so that only all of it is ever seen."""
    temporary = f"{name}.claudebox.{os.getpid()}"
    fd = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=at
    )
    try:
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, name, src_dir_fd=at, dst_dir_fd=at)
    except BaseException:
        os.unlink(temporary, dir_fd=at)
        raise
