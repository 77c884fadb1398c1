"""What a container that Compose made has: a login on its volume, the engine's socket, names of others."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from docker.errors import DockerException

from boxproof.agent.login import FILE, credentials
from boxproof.core.process import Result
from boxproof.core.session import labels_here
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pods.probe_pods import PROGRAM
from pytest_claims import observe
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import observations

GROUP = "import os; print(os.stat('/socket').st_gid)"
WRITE = 'umask 077 && printf %s "$1" >"$2"'
ANONYMOUS = re.compile(r"[0-9a-f]{64}")  # what an engine calls a volume that nobody has named
SENTENCE = re.compile(r"(?<=[.!:])\s+|\n\n")


@dataclass(frozen=True)
class Socket:
    """Whether the engine's socket is mounted, and whether a program of the box can use it."""

    mounted: bool
    usable: bool


class InNetwork:
    """The probe in the network of a container on the engine."""

    def __init__(self, container: LocalContainer) -> None:
        self.container = container
        self.label = container.label
        self.address = container.address

    def probe(self, *words: str, timeout: float = 30) -> Result:  # noqa: ARG002 (the engine has no deadline)
        """Run the probe program there."""
        started, made = time.monotonic(), self.container.made
        try:
            out = self.container.docker.containers.run(
                self.container.probe_image, list(words), entrypoint=[PROGRAM], remove=True,
                network_mode=f"container:{made.id}", labels=made.labels,
            )  # fmt: skip
        except DockerException as error:
            raise EnvironmentFault(f"no probe in the network of {self.label}: {error}") from error
        return Result(tuple(words), 0, out.decode(errors="replace"), "", time.monotonic() - started)


def save_login(container: LocalContainer, directory: str, token: str) -> None:
    """Log a box in by its credentials file, or note why it cannot be written: then there is no login."""
    done = container.exec(["sh", "-c", WRITE, "sh", credentials(token), f"{directory}/{FILE}"])
    observations.record("saving a login", container.label, done.stderr.strip()[-200:] or "done")


def has_login(container: LocalContainer, directory: str, token: str) -> bool:
    """Return whether a box has that login in its credentials file; an observation."""
    done = container.exec(["cat", f"{directory}/{FILE}"])
    found = done.ok and token in done.stdout
    observations.record("login saved", container.label, found)
    return found


def volume_at(container: LocalContainer, directory: str) -> str:
    """Return the name of the volume that a box has a directory on, "" for none of a name; an observation."""
    container.made.reload()
    place = PurePosixPath(directory)
    mounts = [each for each in container.made.attrs["Mounts"] if place.is_relative_to(each["Destination"])]
    nearest: dict[str, str] = max(mounts, key=lambda each: len(each["Destination"]), default={})
    name = str(nearest.get("Name", "")) if nearest.get("Type") == "volume" else ""
    return observe("volume of the login", container.label, "" if ANONYMOUS.fullmatch(name) else name)


def socket(container: LocalContainer, path: str, uses: Sequence[str]) -> Socket:
    """Return what a box has of the engine's socket ``path``; ``uses`` is a command that lists containers."""
    container.made.reload()
    mounts = container.made.attrs["Mounts"]
    done = container.exec(list(uses))
    found = Socket(
        mounted=any(
            _has(each.get("Source", ""), path) or "docker.sock" in each["Destination"] for each in mounts
        ),
        usable=done.ok and str(container.made.id)[:12] in done.stdout,
    )
    observations.record("socket", container.label, found)
    return found


def _has(source: str, path: str) -> bool:
    """Return whether a mount's source is the socket ``path``, or a directory that has it in it."""
    real = PurePosixPath(os.path.realpath(path))
    made = PurePosixPath(os.path.realpath(source)) if source else None
    return made is not None and (made == real or made in real.parents)


def group_of(docker: Any, path: str, probe_image: str) -> int:
    """Return the group of the engine's socket, as a container sees it; ``docker`` is a docker client.

    Raises EnvironmentFault if it is root's: there is no telling then who is in it by request.
    """
    volumes = {path: {"bind": "/socket", "mode": "ro"}}
    try:
        found = int(
            docker.containers.run(
                probe_image, ["-c", GROUP], entrypoint=["python3"], remove=True, network_mode="none",
                volumes=volumes, labels=labels_here(),
            )
        )  # fmt: skip
    except DockerException as error:
        raise EnvironmentFault(f"the engine does not mount its socket: {error}") from error
    if not found:
        raise EnvironmentFault("the engine's socket is in root's group", hint="start dockerd with --group")
    return found


def warnings(asked: str, text: str) -> list[str]:
    """Return the sentences of a document that say the socket makes its holder root; an observation."""
    found = [each for each in SENTENCE.split(text) if "socket" in each and re.search(r"\broot\b", each)]
    observations.record("warnings", asked, found, decides=bool(found))
    return found
