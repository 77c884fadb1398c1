"""The directory of one project: its history, settings and lock, and what the CLI knows at first."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from typing import NamedTuple

from claudebox import safely
from claudebox.errors import Problem, plain

HELD = "another session is running in this project"
FORCE = "end it, or start a second one beside it with --force (both then write one history)"


class Instance(NamedTuple):
    """Where the history, the settings and the lock of a project are."""

    name: str
    path: str

    @property
    def config(self) -> str:
        """The configuration directory that the CLI sees."""
        return f"{self.path}/.claude"

    @property
    def lock(self) -> str:
        """The lock, out of the sandbox's reach."""
        return f"{safely.top()}/locks/{self.name}"


def of(root: str) -> Instance:
    """Return the instance of the project ``root`` for this user; nothing is made."""
    name = hashlib.sha256(b"%d:%s" % (os.getuid(), os.fsencode(root))).hexdigest()[:16]
    return Instance(name, f"{safely.top()}/instances/{name}")


def prepare(instance: Instance, root: str, cwd: str) -> None:
    """Make the directories, or check those that are there; raises Problem."""
    for each in (f"{safely.top()}/locks", instance.config):
        os.close(safely.directory(each, make=True, private=True))
    at = safely.directory(instance.path, private=True)
    try:
        known = _read(at, "project")
        if known and known != os.fsencode(root):
            owner = plain(os.fsdecode(known))
            raise Problem(f"{plain(instance.path)} belongs to the project {owner}", "remove one of the two")
        if not known:
            safely.replace(at, "project", os.fsencode(root))
    finally:
        os.close(at)
    _introduce(instance, cwd)


def _read(at: int, name: str) -> bytes:
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=at)
    except OSError:
        return b""
    with open(fd, "rb") as file:
        return file.read(safely.LARGEST) if stat.S_ISREG(os.fstat(fd).st_mode) else b""


def _introduce(instance: Instance, cwd: str) -> None:
    """Have the CLI skip its welcome and its question of trust: starting a sandbox here has answered it."""
    at = safely.directory(instance.config, private=True)
    try:
        known = _read(at, ".claude.json")
        if os.fsencode(cwd) in known:
            return
        import json

        try:
            data = json.loads(known or b"{}")
            data["hasCompletedOnboarding"] = True
            data.setdefault("projects", {}).setdefault(cwd, {})["hasTrustDialogAccepted"] = True
        except (ValueError, TypeError, AttributeError):  # the CLI says so itself; `claudebox repair` mends it
            return
        safely.replace(at, ".claude.json", json.dumps(data, indent=2).encode())
    finally:
        os.close(at)


def lock(instance: Instance, *, force: bool) -> int:
    """Return a descriptor that holds the lock until it is closed; with ``force`` nobody is asked.

    Raises Problem where another session has it.
    """
    at = safely.directory(os.path.dirname(instance.lock), private=True)
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(instance.name, flags, 0o600, dir_fd=at)
    finally:
        os.close(at)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if force:
            return fd
        holder = os.pread(fd, 32, 0).decode(errors="replace").strip()
        os.close(fd)
        raise Problem(HELD + (f" (process {holder})" if holder.isdigit() else ""), FORCE) from None
    os.ftruncate(fd, 0)
    os.pwrite(fd, str(os.getpid()).encode(), 0)
    return fd
