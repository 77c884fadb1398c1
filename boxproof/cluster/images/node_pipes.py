"""Named pipes that a node sees too: what goes through them the engine need not copy."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from boxproof.core.session import EngineInfo
from boxproof.host.engine.docker_cli import docker

MOUNTED = "/var"  # where kind gives each node a volume of its own
PREFIX = "boxproof-load-"
VOLUMES = (
    '{{.Name}}{{range .Mounts}}{{if eq .Destination "'
    + MOUNTED
    + '"}} {{.Source}}{{end}}{{end}}'  # of a node
)


@dataclass(frozen=True)
class Door:
    """One pipe: where it lies on this machine, and where in the node."""

    here: Path
    inside: str


def volumes(engine: EngineInfo, nodes: Sequence[str]) -> dict[str, Path]:
    """Return where the volumes of ``nodes`` lie on this machine; a node whose volume does not is left out."""
    if not engine.host.startswith("unix://"):
        return {}
    told = docker(engine, "inspect", "--format", VOLUMES, *nodes, check=False).stdout.splitlines()
    found = {name.removeprefix("/"): Path(place) for name, _, place in (each.partition(" ") for each in told)}
    return {name: place for name, place in found.items() if place.is_absolute() and _usable(place)}


@contextmanager
def opened(places: Mapping[str, Path]) -> Iterator[dict[str, Door]]:
    """Give a pipe in each of ``places``, by node, and remove them again; what cannot be is left out."""
    with ExitStack() as held:
        doors: dict[str, Door] = {}
        for node, place in places.items():
            try:
                directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
                held.callback(shutil.rmtree, directory, ignore_errors=True)
                os.mkfifo(directory / "archive", mode=0o600)
            except OSError:  # full, or not ours to write: the engine takes the archive there
                continue
            doors[node] = Door(directory / "archive", f"{MOUNTED}/{directory.name}/archive")
        yield doors


def _usable(place: Path) -> bool:
    try:
        return place.is_dir() and os.access(place, os.W_OK)
    except OSError:  # below a directory of somebody else
        return False
