"""Packages of a profile: resolved outside, before the start, and remembered."""

from __future__ import annotations

import os
from typing import NamedTuple

from claudebox import safely
from claudebox.errors import Problem, plain
from claudebox.processes import code_of, spawn
from claudebox.profiles import Wanted

RESOLVING = "Resolving profile packages"
FEATURES = ("--extra-experimental-features", "nix-command flakes")
CHANNELS = (
    "/etc/nix/registry.json",
    "~/.config/nix/registry.json",
    "~/.nix-defexpr/channels",
    "/etc/nix/nix.conf",
)


class Packages(NamedTuple):
    """What was found: directories to bind, and those of them for PATH."""

    names: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    cached: bool = False


class Nix(NamedTuple):
    """The Nix of this machine, by Nix's own variables; ``socket`` is the daemon's, "" without one.

    ``conf`` is a directory of its configuration other than /etc/nix, or "".
    """

    store: str
    socket: str
    conf: str
    variables: tuple[str, ...]


def nix() -> Nix | None:
    """Return what is there of Nix, None without a store."""
    store = os.path.realpath(os.environ.get("NIX_STORE_DIR", "/nix/store"))
    if not os.path.isdir(store):
        return None
    state = os.environ.get("NIX_STATE_DIR", "/nix/var/nix")
    socket = os.environ.get("NIX_DAEMON_SOCKET_PATH") or f"{state}/daemon-socket/socket"
    names = ("NIX_STORE_DIR", "NIX_STATE_DIR", "NIX_LOG_DIR", "NIX_CONF_DIR", "NIX_LIBEXEC_DIR", "NIX_PATH")
    given = tuple(each for each in (*names, "NIX_DAEMON_SOCKET_PATH") if each in os.environ)
    conf = os.environ.get("NIX_CONF_DIR", "")
    found = conf if conf.startswith("/") and os.path.isdir(conf) else ""
    return Nix(store, socket if os.path.exists(socket) else "", found, given)


def resolve(wanted: Wanted | None, which: str | None) -> Packages:
    """Return the packages; ``which`` is the nix program. Raises Problem with the package's name."""
    if wanted is None or not wanted.names:
        return Packages()
    return _directories(wanted) if wanted.provider == "dir" else _nix(wanted, which)


def _directories(wanted: Wanted) -> Packages:
    roots = []
    for name in wanted.names:
        root = os.path.realpath(f"{wanted.where}/{name}")
        if not os.path.isdir(f"{root}/bin"):
            hint = (
                f"a package is a directory with a bin in it, NAME or NAME/VERSION, in {plain(wanted.where)}"
            )
            raise Problem(f"package {plain(name)} does not resolve: no {plain(root)}/bin", hint)
        roots.append(root)
    return Packages(wanted.names, tuple(roots), tuple(f"{each}/bin" for each in roots))


def _nix(wanted: Wanted, which: str | None) -> Packages:
    here = nix()
    if which is None or here is None:
        hint = 'install nix (Debian: nix-bin), or take the packages from a directory: packages.from = "dir"'
        raise Problem(f"package {wanted.names[0]} does not resolve: no Nix on this machine", hint)
    key = _key(wanted, which, here)
    paths = _remembered(key)
    cached = paths is not None
    if paths is None:
        paths = _built(wanted, which, key)
        _remember(key, paths)
    found = tuple(f"{each}/bin" for each in paths if os.path.isdir(f"{each}/bin"))
    return Packages(wanted.names, paths, found, cached)


def _key(wanted: Wanted, which: str, here: Nix) -> str:
    import hashlib

    local = wanted.where.removeprefix("path:")
    files = [f"{os.path.expanduser(local)}/{each}" for each in ("flake.lock", "flake.nix")]
    files += [os.path.expanduser(each) for each in CHANNELS]
    parts = [repr(wanted), os.path.realpath(which), here.store, os.environ.get("NIX_PATH", "")]
    for each in files:
        try:
            with open(each, "rb") as file:
                parts.append(f"{each} {hashlib.sha256(file.read()).hexdigest()}")
        except OSError:  # a channel is a link to the generation in force
            parts.append(f"{each} {os.path.realpath(each)}")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def _remembered(key: str) -> tuple[str, ...] | None:
    """Return the paths an earlier launch found, if none of them was collected since."""
    import json

    try:
        paths = json.loads(safely.read(f"{safely.top()}/cache/{key}.json"))
    except (FileNotFoundError, ValueError):
        return None
    there = isinstance(paths, list) and paths and all(os.path.isdir(str(each)) for each in paths)
    return tuple(paths) if there else None


def _remember(key: str, paths: tuple[str, ...]) -> None:
    import json

    at = safely.directory(f"{safely.top()}/cache", make=True, private=True)
    try:
        safely.replace(at, f"{key}.json", json.dumps(paths).encode())
    finally:
        os.close(at)


def _built(wanted: Wanted, which: str, key: str) -> tuple[str, ...]:
    """Have nix build or fetch the packages, with its own progress in sight; keep them from collection."""
    import json

    names = " ".join(wanted.names)
    os.write(2, f"{RESOLVING} ({plain(names)}); the first time this takes a while\n".encode())
    os.close(safely.directory(f"{safely.top()}/cache", make=True, private=True))
    root = f"{safely.top()}/cache/{key}.root"
    installables = [f"{wanted.where}#{each}" for each in wanted.names]
    argv = [which, *FEATURES, "build", "--out-link", root, "--json", *installables]
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = spawn(argv, os.environ, {1: writer})
    os.close(writer)
    with open(reader, "rb") as file:
        said = file.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        raise Problem(
            f"packages do not resolve: {plain(names)} (nix ended with {code_of(status)})", "see above"
        )
    try:
        paths = tuple(str(path) for each in json.loads(said) for path in each["outputs"].values())
    except (ValueError, KeyError, TypeError, AttributeError):
        paths = ()
    if len(paths) < len(wanted.names) or not all(os.path.isdir(each) for each in paths):
        raise Problem(f"packages do not resolve: nix named no path for one of {plain(names)}")
    return paths
