"""Toolchains that the Python package index carries, pinned by hash and installed beside the system's own."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

from boxproof import log
from boxproof.errors import EnvironmentFault
from boxproof.host.apt import digest, publish
from boxproof.run import run

PINS = Path(__file__).parent / "toolchains"
INSTALL_TIMEOUT = 900.0


def pinned(name: str) -> str:
    """Return the version that ``toolchains/<name>.txt`` pins."""
    first = (PINS / f"{name}.txt").read_text().split(maxsplit=1)[0]
    return first.split("==")[1]


def toolchain(name: str, cache: Path) -> Path:
    """Return the directory that the package pinned in ``toolchains/<name>.txt`` is installed in.

    Raises EnvironmentFault when there is no installer, or the package cannot be had.
    """
    pins = PINS / f"{name}.txt"

    def fill(tree: Path) -> None:
        with log.step(f"{name} {pinned(name)} from the Python package index") as report:
            words = ["install", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]
            argv = [*_installer(), *words, "--target", str(tree), "-r", str(pins)]
            run(argv, timeout=INSTALL_TIMEOUT, on_line=report)

    return publish(cache / f"{name}-{pinned(name)}-{digest(pins.read_text(), sys.platform)}", fill)


def _installer() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv", "pip"]
    for client, words in (("uv", ["uv", "pip"]), ("pip3", ["pip3"])):
        if shutil.which(client):
            return words
    raise EnvironmentFault("neither pip nor uv on this machine", hint="install one of them")
