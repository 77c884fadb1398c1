"""A docker client that keeps its nodes and images in files, for tests without an engine."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from boxproof.core.session import EngineInfo

CLIENT = """#!/bin/sh
# state: nodes/NAME for each node container, images/NODE/NAME with an id, engine/NAME with an id, log,
# archive for docker save, imports/NODE.N with what a node was given, held for what each says it holds, refuse
# with how many imports a node refuses, volumes/NODE for what a node has at /var
cd "$(dirname "$0")"
echo "$@" >> log
case "$1 $2" in
"ps "*) ls nodes ;;
"rm "*) rm -rf nodes/* ;;
"logs "*) echo "console of a node" ;;
"save "*) cat archive ;;
"inspect "*)
    for node in $(ls volumes 2>/dev/null); do echo "/$node $PWD/volumes/$node"; done ;;
"info "*) echo '{"DockerRootDir": "/nowhere", "Driver": "overlay2"}' ;;
"image inspect")
    eval last=\\${$#}
    id=$(cat "engine/$last" 2>/dev/null) || exit 1
    [ "$3" = --format ] && echo "$id" || echo "[{\\"Id\\": \\"$id\\"}]" ;;
"exec "*)
    [ "$2" = --interactive ] && shift
    node=$2
    shift 2
    case "$1 $2" in
    "crictl inspecti")
        eval last=\\${$#}
        if [ -e broken ]; then echo "connection refused" >&2; exit 1; fi
        id=$(cat "images/$node/$last" 2>/dev/null) || { echo "no such image $last" >&2; exit 1; }
        echo "{\\"status\\": {\\"id\\": \\"$id\\"}}" ;;
    "sh -c") cat held 2>/dev/null || true ;;
    "ctr --namespace")
        number=$(ls imports | grep -c "^$node\\.")
        eval last=\\${$#}
        [ "$last" = - ] && last=/dev/stdin || last="volumes/$node/${last#/var/}"
        cat "$last" > "imports/$node.$number"
        if [ "$number" -lt "$(cat refuse)" ]; then echo "content not found" >&2; exit 1; fi
        for image in engine/*; do cp "$image" "images/$node/$(basename "$image")"; done ;;
    journalctl*) echo "journal of $node" ;;
    esac ;;
esac
"""


class FakeEngine:
    """An engine made of files in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for each in ("nodes", "images", "engine", "imports"):
            (directory / each).mkdir(parents=True)
        (directory / "refuse").write_text("0")
        client = directory / "docker"
        client.write_text(CLIENT)
        client.chmod(0o755)
        self.info = EngineInfo(way="user", host="unix:///nowhere", version="28", client=str(client))

    def add_node(self, name: str, **images: str) -> None:
        """Add a node that has ``images``."""
        (self.directory / "nodes" / name).touch()
        (self.directory / "images" / name).mkdir(exist_ok=True)
        for image, identity in images.items():
            (self.directory / "images" / name / image).write_text(identity)

    @property
    def log(self) -> list[str]:
        """The commands it was given."""
        path = self.directory / "log"
        return path.read_text().splitlines() if path.exists() else []

    def imports(self, node: str) -> list[set[str]]:
        """The names in each of the archives that a node was given."""
        given = []
        for path in sorted((self.directory / "imports").glob(f"{node}.*")):
            with tarfile.open(path) as archive:
                given.append(set(archive.getnames()))
        return given

    @property
    def nodes(self) -> list[str]:
        """The names of the nodes."""
        return sorted(path.name for path in (self.directory / "nodes").iterdir())


@pytest.fixture
def engine(tmp_path: Path) -> FakeEngine:
    """An engine without nodes."""
    return FakeEngine(tmp_path / "engine")
