"""The login: one store for all sandboxes, kept in step with the host's file, or shared with it outright."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from typing import Any

from claudebox import safely
from claudebox.errors import Problem, plain
from claudebox.processes import libc

FILE = ".credentials.json"
SETTING = "CLAUDE_SECURESTORAGE_CONFIG_DIR"
WRITE_LOCK = ".storage-write.lock"  # the CLI's own: a directory
STALE = 10.0  # seconds after which such a lock was left by one that died
LARGEST = 1 << 16
EVENTS = 0x008 | 0x080 | 0x100 | 0x200  # closed after writing, moved to, created, deleted
Content = bytes | None


def host_directory() -> str:
    """Return the configuration directory of the CLI outside."""
    given = os.environ.get("CLAUDE_CONFIG_DIR", "")
    return given if given.startswith("/") else f"{safely.home()}/.claude"


def store_directory() -> str:
    """Return the directory of the login inside."""
    return f"{safely.top()}/auth/store"


def ensure_store() -> None:
    """Make the store, or check it; raises Problem."""
    os.close(safely.directory(store_directory(), make=True, private=True))


def settings() -> dict[str, Any]:
    """Return the settings of the CLI outside, empty where there are none; raises Problem."""
    path = f"{host_directory()}/settings.json"
    try:
        with open(path, "rb") as file:
            data = json.loads(file.read() or b"{}")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Problem(f"{plain(path)} cannot be read: {error}", "mend it first") from None
    if not isinstance(data, dict):
        raise Problem(f"{plain(path)} is no object", "mend it first")
    return data


def linked() -> bool:
    """Return whether the CLI outside uses the store itself."""
    try:
        env = settings().get("env")
    except Problem:
        return False
    chosen = env.get(SETTING) if isinstance(env, dict) else None
    return os.environ.get(SETTING, chosen) == store_directory()


def digest(data: Content) -> str:
    """Return what stands for a content, also for a missing one."""
    return hashlib.sha256(data).hexdigest() if data is not None else "none"


def expiry(data: Content) -> float:
    """Return when the access token ends, in milliseconds since 1970; -1 for what is no login (yet)."""
    try:
        found = json.loads(data or b"")
        return float(found.get("claudeAiOauth", {}).get("expiresAt") or 0)
    except (ValueError, AttributeError, TypeError):
        return -1


class Place:
    """One directory with the login in it; a file that is not ours, or no regular one, counts as missing."""

    def __init__(self, path: str, *, private: bool) -> None:
        self.path = path
        self.private = private  # below claudebox's own directory, which is checked step by step

    def open(self, *, make: bool = False) -> int | None:
        """Return a descriptor of the directory, None where it is missing."""
        try:
            if self.private:
                return safely.directory(self.path, make=make, private=True)
            if make:
                os.makedirs(self.path, 0o700, exist_ok=True)
            return os.open(self.path, os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None

    def read(self) -> Content:
        """Return the content of the file."""
        at = self.open()
        if at is None:
            return None
        try:
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
            fd = os.open(FILE, flags | (os.O_NOFOLLOW if self.private else 0), dir_fd=at)
        except OSError:
            return None
        finally:
            os.close(at)
        with open(fd, "rb") as file:
            mode = os.fstat(fd)
            if not stat.S_ISREG(mode.st_mode) or mode.st_uid != os.getuid() or mode.st_size > LARGEST:
                return None
            return file.read(LARGEST)

    def write(self, data: Content) -> bool:
        """Replace or remove the file under the CLI's own lock; False while somebody else has it."""
        at = self.open(make=True)
        assert at is not None
        try:
            if not _locked(at):
                return False
            try:
                self._write(at, data)
            finally:
                os.rmdir(WRITE_LOCK, dir_fd=at)
        finally:
            os.close(at)
        return True

    def _write(self, at: int, data: Content) -> None:
        if data is None:
            os.unlink(FILE, dir_fd=at)
            return
        real = os.path.realpath(f"{self.path}/{FILE}")
        if self.private or os.path.dirname(real) == os.path.realpath(self.path):
            safely.replace(at, FILE, data)
            return
        there = os.open(os.path.dirname(real), os.O_DIRECTORY | os.O_CLOEXEC)  # the user's link stays one
        try:
            safely.replace(there, os.path.basename(real), data)
        finally:
            os.close(there)


def _locked(at: int) -> bool:
    try:
        os.mkdir(WRITE_LOCK, 0o700, dir_fd=at)
    except FileExistsError:
        try:
            age = time.time() - os.stat(WRITE_LOCK, dir_fd=at, follow_symlinks=False).st_mtime
            if age < STALE:
                return False
            os.rmdir(WRITE_LOCK, dir_fd=at)
            os.mkdir(WRITE_LOCK, 0o700, dir_fd=at)
        except OSError:
            return False
    return True


class Sync:
    """Keeps the host's login and the store in step, and remembers what both last agreed on."""

    def __init__(self) -> None:
        self.active = not linked()
        self.host = Place(host_directory(), private=False)
        self.store = Place(store_directory(), private=True)
        self.watch = libc().inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        self._watched: set[str] = set()

    def step(self) -> float:
        """Bring both together; return after how many seconds to look again at the latest."""
        if not self.active:
            return 60.0
        self._notice()
        host, store = self.host.read(), self.store.read()
        if host == store:
            self._agree(host)
        elif any(each is not None and expiry(each) < 0 for each in (host, store)):
            return 0.2  # half written
        else:
            newer = self._newer(host, store)
            if not (self.store if newer is host else self.host).write(newer):
                return 0.1
            self._agree(newer)
        return 5.0 if len(self._watched) == 2 else 0.5

    def settle(self) -> None:
        """Bring both together at the end, with some patience for a lock."""
        for _ in range(20):
            if self.step() >= 0.5:
                return
            time.sleep(0.05)

    def _newer(self, host: Content, store: Content) -> Content:
        base = self._agreed()
        if (
            store is None or host is None
        ):  # logged out on one side since both agreed, or never logged in there
            gone, there = (host, store) if host is None else (store, host)
            return gone if base not in ("", "none") and digest(there) == base else there
        return host if expiry(host) >= expiry(store) else store

    def _agreed(self) -> str:
        try:
            return safely.read(f"{safely.top()}/auth/agreed").decode(errors="replace").strip()
        except FileNotFoundError:
            return ""

    def _agree(self, data: Content) -> None:
        now = digest(data)
        if now == self._agreed():
            return
        at = safely.directory(f"{safely.top()}/auth", make=True, private=True)
        try:
            safely.replace(at, "agreed", now.encode())
        finally:
            os.close(at)

    def _notice(self) -> None:
        if self.watch < 0:
            return
        try:
            while os.read(self.watch, 4096):
                pass
        except BlockingIOError:
            pass
        for each in {self.host.path, self.store.path} - self._watched:
            if libc().inotify_add_watch(self.watch, os.fsencode(each), EVENTS) >= 0:
                self._watched.add(each)


def status() -> tuple[str, bool]:
    """Return what is to be said about the login, and whether there is one; tokens are never shown."""
    store, host = (
        Place(store_directory(), private=True).read(),
        Place(host_directory(), private=False).read(),
    )
    if linked():
        layout = "linked: this machine and the sandboxes use one directory"
    elif host == store:
        layout = "in step" if host else "none: log in with `claude /login`, inside or outside"
    else:
        layout = "apart: the next session brings the two together, the later token wins"
    lines = [f"login      {layout}"]
    lines += [f"host       {plain(host_directory())}/{FILE}: {_shown(host)}"]
    lines += [f"sandboxes  {plain(store_directory())}/{FILE}: {_shown(store)}"]
    return "\n".join(lines) + "\n", bool(store or host)


def _shown(data: Content) -> str:
    if data is None:
        return "none"
    until = expiry(data)
    if until < 0:
        return "not readable as a login"
    return f"token until {time.strftime('%Y-%m-%d %H:%M', time.localtime(until / 1000))}, renewed by itself"


def link() -> str:
    """Have the CLI outside use the store too, so that both share its locks; return what was done."""
    ensure_store()
    if linked():
        return "already linked\n"
    changed = settings()
    Sync().settle()
    host = Place(host_directory(), private=False)
    changed["env"] = {**(changed.get("env") or {}), SETTING: store_directory()}
    _write_settings(changed)
    if host.read() is not None:
        host.write(None)
    return f"linked: {SETTING} in {plain(host_directory())}/settings.json; end running sessions of `claude`\n"


def unlink() -> str:
    """Undo ``link``: the host has a file of its own again."""
    if not linked():
        return "not linked\n"
    changed = settings()
    changed.get("env", {}).pop(SETTING, None)
    store = Place(store_directory(), private=True).read()
    if store is not None:
        Place(host_directory(), private=False).write(store)
    _write_settings(changed)
    return "no longer linked: sessions keep the two in step\n"


def _write_settings(data: dict[str, Any]) -> None:
    real = os.path.realpath(f"{host_directory()}/settings.json")
    os.makedirs(os.path.dirname(real), 0o700, exist_ok=True)
    at = os.open(os.path.dirname(real), os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        safely.replace(at, os.path.basename(real), json.dumps(data, indent=2).encode() + b"\n")
    finally:
        os.close(at)
