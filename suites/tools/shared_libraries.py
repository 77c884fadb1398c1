"""Which libraries the programs in a container lack, by the container's own loader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from boxproof.probes.containers import LocalContainer
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import observations

# Libraries need not be executable, and what is mounted is no part of the image. Of a single file ldd leaves
# out the name: it is always given one more.
SCAN = """find "$1" -xdev -type f '(' -perm /111 -o -name '*.so' -o -name '*.so.*' ')' \\
    -exec ldd "$2" {} + 2>&1"""
EVER = "/bin/sh"
PLACES = 'for each; do readlink -f "$(command -v "$each")"; done'


@dataclass(frozen=True)
class Linked:
    """The files looked at, and the libraries that some of them lack."""

    files: frozenset[str]
    missing: dict[str, tuple[str, ...]]


def linked(container: LocalContainer, below: str = "/") -> Linked:
    """Return what every program and library ``below`` a directory lacks; raises EnvironmentFault."""
    done = container.exec(["sh", "-c", SCAN, "scan", below, EVER], user="0:0")
    found = parse(done.stdout)
    if not found.files:
        raise EnvironmentFault(f"no program below {below} could be looked at: {done.stdout[-200:]}")
    shown = {"files": len(found.files), "missing": found.missing}
    observations.record("missing libraries", f"{container.label}: {below}", shown, decides=found.missing)
    return found


def parse(output: str) -> Linked:
    """Return what ``ldd`` says about several files."""
    file, files = "", set()
    missing: dict[str, dict[str, None]] = {}
    for line in output.splitlines():
        if line.startswith("/") and line.endswith(":"):
            file = line.removesuffix(":")
            files.add(file)
        elif "not found" in line:
            missing.setdefault(file, {})[line.split("=>")[0].split("(required")[0].strip()] = None
    return Linked(frozenset(files), {name: tuple(each) for name, each in missing.items()})


def places(container: LocalContainer, names: Sequence[str]) -> set[str]:
    """Return the files that these programs are, links followed."""
    return set(container.exec(["sh", "-c", PLACES, "places", *names]).stdout.split())
