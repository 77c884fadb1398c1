"""What nodes and kind itself say: logs as evidence, the seconds of its steps."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from boxproof.core.session import EngineInfo
from boxproof.host.engine.docker_cli import docker, inside, nodes_of
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import writing

EACH = 15.0  # seconds for one log
COMMANDS = {
    "journal.log": ["journalctl", "--no-pager", "--lines=4000"],
    "kubelet.log": ["journalctl", "--no-pager", "--lines=2000", "--unit=kubelet"],
    "containerd.log": ["journalctl", "--no-pager", "--lines=2000", "--unit=containerd"],
    "units.txt": ["systemctl", "--no-pager", "--all", "--failed"],
    "containers.txt": ["crictl", "ps", "--all"],
    "pods.log": ["sh", "-c", "tail -n 100 /var/log/pods/*/*/*.log"],
}


def collect(engine: EngineInfo, cluster: str, directory: Path) -> Path:
    """Write what the nodes of ``cluster`` say to ``directory`` and return it; silence is noted too."""
    directory.mkdir(parents=True, exist_ok=True)
    for node in nodes_of(engine, cluster):
        target = directory / node
        target.mkdir(exist_ok=True)
        _keep(target / "console.log", engine, ["logs", "--timestamps", node])
        _keep(target / "inspect.json", engine, ["inspect", node])
        for name, argv in COMMANDS.items():
            try:
                result = inside(engine, node, argv, timeout=EACH, check=False)
                writing.write_text(target / name, result.stdout + result.stderr)
            except EnvironmentFault as fault:
                writing.write_text(target / name, f"{fault}\n")
                break  # a node that does not answer once will not answer the rest
    return directory


def _keep(path: Path, engine: EngineInfo, words: list[str]) -> None:
    try:
        result = docker(engine, *words, timeout=EACH, check=False)
        writing.write_text(path, result.stdout + result.stderr)
    except EnvironmentFault as fault:
        writing.write_text(path, f"{fault}\n")


BEGUN, ENDED = "•", "✓"
# a mark, a name in ASCII, perhaps an image in brackets, emojis: " • Preparing nodes 📦 📦  ..."
LINE = re.compile(rf"\s*([{BEGUN}{ENDED}])\s+([\w -]+\w)")


def timed(report: Callable[[str], None]) -> Callable[[str], None]:
    """Return what passes kind's lines on to ``report`` and adds each of its steps to the timings."""
    begun: dict[str, float] = {}

    def line(text: str) -> None:
        report(text)
        found = LINE.match(text)
        if found is None:
            return
        mark, name = found.groups()
        if mark == BEGUN:
            begun.setdefault(name, time.monotonic())
        elif name in begun:
            progress.took(f"kind: {name}", time.monotonic() - begun.pop(name))

    return line
