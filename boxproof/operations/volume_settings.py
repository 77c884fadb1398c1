"""What on the agent's volume steers it, and differs from what image and repository give: shown, put back."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from boxproof.core.process import run
from boxproof.kube.client import Object
from boxproof.operations.backups import Volume
from pytest_claims.faults import EnvironmentFault, UsageError
from pytest_claims.recording import redaction

PROGRAM = Path(__file__).with_name("volume_settings_program.py")
LOOKS = 120.0  # seconds for one look over the directory
NOTHING_GIVEN = "nothing gives it"


@dataclass(frozen=True)
class Difference:
    """A file on the volume that is "added", "changed" or "missing"; ``key`` is a part of it, "" for all.

    ``given_by`` is "image", "config-clone" or "", ``text`` a unified diff, "" for what is long or no text.
    """

    path: str
    state: str
    given_by: str = ""
    key: str = ""
    text: str = ""

    def __str__(self) -> str:
        place = f"{self.path}: {self.key}" if self.key else self.path
        return f"{self.state:8} {place} ({self.given_by or NOTHING_GIVEN})"


@dataclass(frozen=True)
class Settings:
    """What was found on a volume; ``others`` are names of which nobody knows what they are for."""

    differences: tuple[Difference, ...]
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Places:
    """Where the agent's directory is: in its container, and the clone's in the init container of a name."""

    container: str
    config: str
    clone_container: str = ""
    clone: str = ""


def look(volume: Volume, places: Places, *, reset: bool = False) -> Settings:
    """Return what differs, by way of a pod on the volume; with ``reset`` it is put back too.

    Raises UsageError if the directory is on no volume, EnvironmentFault if there is no agent or no answer.
    """
    pod = volume.owner["spec"]["template"]["spec"]
    below = _on_volume(pod, places, volume.claim_template)
    clone = _clone(pod, places)
    with volume.pod(lambda made: _with_clone(made, clone)) as (words, top):
        asked = {
            "config": str(PurePosixPath(top) / below),
            "image": places.config,
            "clone": places.clone if clone else "",
            "reset": reset,
        }
        return _told(words, asked)


def reset(volume: Volume, places: Places) -> Settings:
    """Put back what differs while the agent is stopped, and start it again; returns what differed.

    What the repository gives is there after that start. Raises as ``look``.
    """
    replicas = int(volume.owner["spec"].get("replicas", 1)) or 1
    volume.scale(0)
    try:
        return look(volume, places, reset=True)
    finally:
        volume.scale(replicas)


def _on_volume(pod: Object, places: Places, name: str) -> PurePosixPath:
    """Return where below the volume's root the agent's directory is."""
    agent: Object = next((each for each in pod["containers"] if each["name"] == places.container), {})
    mounts = [each["mountPath"] for each in agent.get("volumeMounts") or () if each["name"] == name]
    config = PurePosixPath(places.config)
    found = next((each for each in mounts if config.is_relative_to(each)), None)
    if found is None:
        raise UsageError(f"{places.config} is not on the volume {name}", hint="subject.toml: config_dir")
    return config.relative_to(found)


def _clone(pod: Object, places: Places) -> tuple[Object, Object] | None:
    """Return the volume and the mount of the repository's clone, None where the agent has none."""
    wanted = [each for each in pod.get("initContainers") or () if each["name"] == places.clone_container]
    for mount in wanted[0].get("volumeMounts") or () if wanted else ():
        volume = next((each for each in pod["volumes"] if each["name"] == mount["name"]), None)
        if volume and PurePosixPath(places.clone).is_relative_to(mount["mountPath"]):
            return volume, {**mount, "readOnly": True}
    return None


def _with_clone(pod: Object, clone: tuple[Object, Object] | None) -> None:
    """Give the pod on the volume the clone too, to read."""
    if clone is not None:
        volume, mount = clone
        pod["spec"]["volumes"].append(volume)
        pod["spec"]["containers"][0].setdefault("volumeMounts", []).append(mount)


def _told(words: Sequence[str], asked: Mapping[str, Any]) -> Settings:
    done = run(
        [*words, "python3", "-I", "-c", PROGRAM.read_text()],
        stdin=json.dumps(asked).encode(), timeout=LOOKS, check=False,
    )  # fmt: skip
    try:
        told = json.loads(done.stdout) if done.ok else None
    except ValueError:
        told = None
    if told is None:
        why = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise EnvironmentFault(f"the agent's directory cannot be looked through: {why[-300:]}")
    found = tuple(
        Difference(each["path"], each["state"], each["given_by"], each["key"], _diff(each))
        for each in told["differences"]
    )
    return Settings(found, tuple(told["others"]))


def _diff(each: Mapping[str, str]) -> str:
    """Return how a file differs, without what looks like a secret."""
    before, after = each["before"].splitlines(), each["after"].splitlines()
    lines = difflib.unified_diff(before, after, each["given_by"] or "nothing", "volume", lineterm="", n=2)
    return redaction.text("\n".join(lines))
