"""Tarballs of npm packages, each held to the integrity it is pinned by."""

from __future__ import annotations

import base64
import hashlib
import shutil
from pathlib import Path

from boxproof import log
from boxproof.errors import EnvironmentFault
from boxproof.host import pypi
from boxproof.host.apt import digest, publish
from boxproof.run import run
from boxproof.settings import Settings, search_path

TIMEOUT = 600.0


def fetch(package: str, version: str, integrity: str, *, settings: Settings) -> Path:
    """Return the tarball of ``package`` at ``version``; ``integrity`` is "sha512-…" as a lock file has it.

    Raises EnvironmentFault when it cannot be had, or is not what was pinned.
    """

    def fill(directory: Path) -> None:
        with log.step(f"npm package {package} {version}") as report:
            argv = [*client(settings), "pack", f"{package}@{version}", "--pack-destination", str(directory)]
            options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            env = _environment(argv[0], settings, directory)
            run([*argv, *options], timeout=TIMEOUT, cwd=directory, env=env, on_line=report)
        tarballs = list(directory.glob("*.tgz"))
        if len(tarballs) != 1:
            raise EnvironmentFault(f"npm pack {package}@{version} left {len(tarballs)} tarballs")
        check(tarballs[0], integrity)
        tarballs[0].rename(directory / "package.tgz")

    key = digest(package, version, integrity)
    return publish(settings.cache / "npm" / key, fill) / "package.tgz"


def client(settings: Settings) -> list[str]:
    """Return the words that start npm: the one in PATH, or the one that a pinned Python package carries."""
    found = shutil.which("npm")
    if found and shutil.which("node"):
        return [found]
    tree = pypi.toolchain("node", settings.cache)
    nodes = [path for path in tree.rglob("bin/node") if path.is_file()]
    scripts = [path for path in tree.rglob("npm/bin/npm-cli.js") if path.is_file()]
    if not nodes or not scripts:
        raise EnvironmentFault(f"no node with npm in {tree}", hint="remove the directory and try again")
    nodes[0].chmod(0o755)
    return [str(nodes[0]), str(scripts[0])]


def _environment(program: str, settings: Settings, directory: Path) -> dict[str, str]:
    path = [str(Path(program).parent), *map(str, search_path())]
    cache = settings.cache / "npm" / "client"
    return {"PATH": ":".join(path), "npm_config_cache": str(cache), "npm_config_prefix": str(directory)}


def check(tarball: Path, integrity: str) -> None:
    """Raise EnvironmentFault unless ``tarball`` has one of the digests of ``integrity``."""
    data = tarball.read_bytes()
    for each in integrity.split():
        kind, _, wanted = each.partition("-")
        if kind not in {"sha512", "sha384", "sha256"}:
            continue
        have = base64.b64encode(hashlib.new(kind, data).digest()).decode()
        if have == wanted:
            return
        raise EnvironmentFault(f"{tarball.name}: integrity is {kind}-{have}, pinned is {each}")
    raise EnvironmentFault(f"{tarball.name}: pinned integrity {integrity!r} names no known digest")
