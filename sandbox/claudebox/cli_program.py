"""Where Claude Code is on this machine, and what of it has to be in the sandbox."""

from __future__ import annotations

import os
from typing import NamedTuple

from claudebox.errors import Problem, plain

INSIDE = "/run/claudebox/bin"


class Program(NamedTuple):
    """The command to start, and what is bound for it: pairs of source and target."""

    command: str
    binds: tuple[tuple[str, str], ...] = ()


def which(name: str, more: tuple[str, ...] = ()) -> str | None:
    """Return the path of a program in PATH, in ``more`` or among the system's own."""
    path = [*os.environ.get("PATH", "").split(":"), *more, "/usr/sbin", "/sbin", "/usr/bin"]
    for each in path:
        found = f"{each}/{name}"
        if each.startswith("/") and os.path.isfile(found) and os.access(found, os.X_OK):
            return found
    return None


def find() -> Program:
    """Return the CLI; raises Problem where there is none."""
    found = which("claude", (os.path.expanduser("~/.local/bin"),))
    if found is None:
        raise Problem(
            "no `claude` in PATH", "install Claude Code on this machine: its program is bound read-only"
        )
    real = os.path.realpath(found)
    if _system(real):
        return Program(found if _system(found) else real)
    with open(real, "rb") as file:
        start = file.read(256)
    if not start.startswith(b"#!"):
        return Program(f"{INSIDE}/claude", ((real, f"{INSIDE}/claude"),))
    package = _package(real)
    if package is None:
        return Program(f"{INSIDE}/claude", ((real, f"{INSIDE}/claude"), *_interpreter(start)))
    return Program(real, ((package, package), *_interpreter(start)))


def _system(path: str) -> bool:
    return path.startswith(("/usr/", "/nix/store/", "/bin/"))


def _package(path: str) -> str | None:
    """Return the npm package a script is in."""
    at = os.path.dirname(path)
    while at != "/":
        if os.path.isfile(f"{at}/package.json"):
            return at
        at = os.path.dirname(at)
    return None


def _interpreter(start: bytes) -> tuple[tuple[str, str], ...]:
    """Return what is bound for the interpreter of a script, nothing where the system has it."""
    words = start.splitlines()[0][2:].decode(errors="replace").split()
    name = os.path.basename(words[-1]) if words else ""
    path = which(name) if words and os.path.basename(words[0]) == "env" else (words or [""])[0]
    if not path or not os.path.exists(path):
        raise Problem(f"the interpreter {plain(name)} of `claude` is not on this machine", "install it")
    real = os.path.realpath(path)
    return () if _system(real) else ((real, f"{INSIDE}/{name}"),)
