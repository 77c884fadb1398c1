"""Tarballs of npm packages, each held to the integrity it is pinned by."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import tempfile
from pathlib import Path

from boxproof.core.process import given, run
from boxproof.core.settings import Settings, search_path
from boxproof.host.fetch import pypi
from boxproof.host.fetch.apt import digest, publish
from boxproof.host.fetch.registries import TEMPORARY, Unanswered, Unserved
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault

TIMEOUT = 600.0
ASK_TIMEOUT = 60.0
PATIENCE = {  # of one question, with its repetitions half a minute at most; milliseconds
    "npm_config_fetch_timeout": "5000", "npm_config_fetch_retries": "3",
    "npm_config_fetch_retry_mintimeout": "500", "npm_config_fetch_retry_maxtimeout": "4000",
}  # fmt: skip


def fetch(package: str, version: str, integrity: str, *, settings: Settings) -> Path:
    """Return the tarball of ``package`` at ``version``; ``integrity`` is "sha512-…" as a lock file has it.

    Raises EnvironmentFault when it cannot be had, or is not what was pinned.
    """

    def fill(directory: Path) -> None:
        with progress.step(f"npm package {package} {version}") as report:
            argv = [*client(settings), "pack", f"{package}@{version}", "--pack-destination", str(directory)]
            options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            env = _environment(argv[0], settings, directory)
            done = run(
                [*argv, *options], timeout=TIMEOUT, cwd=directory, env=env, check=False, on_line=report
            )
            if not done.ok:
                raise blamed(done.stdout + done.stderr, f"{package}@{version}")
        tarballs = list(directory.glob("*.tgz"))
        if len(tarballs) != 1:
            raise EnvironmentFault(f"npm pack {package}@{version} left {len(tarballs)} tarballs")
        check(tarballs[0], integrity)
        tarballs[0].rename(directory / "package.tgz")

    key = digest(package, version, integrity)
    return publish(settings.cache / "npm" / key, fill) / "package.tgz"


def held(package: str, version: str, integrity: str, *, settings: Settings) -> bool:
    """Return whether the cache has the tarball."""
    return (settings.cache / "npm" / digest(package, version, integrity) / "package.tgz").is_file()


def served(package: str, version: str, integrity: str, *, settings: Settings) -> None:
    """Ask the registry for the pinned package, and for its integrity; nothing is fetched.

    Raises Unserved if it is gone or has another one, Unanswered if the registry does not answer.
    """
    name = f"{package}@{version}"
    with tempfile.TemporaryDirectory(prefix="boxproof-npm-") as below:
        argv = [*client(settings), "view", "--json", name, "dist.integrity"]
        env = _environment(argv[0], settings, Path(below)) | PATIENCE | {"npm_config_cache": below}
        done = run(argv, timeout=ASK_TIMEOUT, cwd=Path(below), env=env, check=False)
    if not done.ok:
        raise blamed(done.stdout + done.stderr, name)
    told = done.stdout.strip().strip('"')
    if not told:
        raise Unserved(f"npm package {name}: the registry does not have it", hint=_mend(package))
    if not set(told.split()) & set(integrity.split()):
        hint = f"if the new content is right, pin it in image/tools.toml; else {_mend(package)}"
        raise Unserved(f"npm package {name}: its integrity is {told}, pinned is {integrity}", hint=hint)


def blamed(said: str, name: str) -> EnvironmentFault:
    """Return the fault of an npm command that ended with ``said``, in one line."""
    if re.search(r"E404|\b404\b|410 Gone|ETARGET|E410", said):
        package = name.rpartition("@")[0]
        return Unserved(f"npm package {name}: the registry does not have it", hint=_mend(package))
    lines = [re.sub(r"^npm (error|ERR!) ?", "", line) for line in said.splitlines() if "npm " in line]
    telling = [line for line in lines if TEMPORARY.search(line)]
    if telling:
        text = f"the npm registry does not answer, asked for {name}: {telling[0][:300]}"
        return Unanswered(text, hint="try again later, or set npm_config_registry to another registry")
    return EnvironmentFault(f"npm cannot fetch {name}: {' | '.join(lines[:2])[:300]}")


def _mend(package: str) -> str:
    pins = f"pin another version in image/tools.toml: npm view {package} version dist.integrity"
    return f"set npm_config_registry to a registry that has it, or {pins}"


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


def configuration(authorities: str) -> str:
    """Return an npmrc with which npm elsewhere reaches the registry that npm is set to here.

    ``authorities`` is the path of the bundle of certificates there, "" for npm's own.
    """
    found = shutil.which("npm")
    told = run([found, "config", "get", "registry"], timeout=60, check=False).stdout.strip() if found else ""
    registry = told or given("npm_config_registry")
    lines = [f"registry={registry}"] if registry.startswith(("http://", "https://")) else []
    return "".join(f"{each}\n" for each in [*lines, *([f"cafile={authorities}"] if authorities else [])])


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
