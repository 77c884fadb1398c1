"""What a cluster is made with: room on the machine, and encryption of what it keeps."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

import yaml

from boxproof.core.session import EngineInfo
from boxproof.host import machine
from boxproof.host.engine.docker_cli import clusters
from pytest_claims.faults import EnvironmentFault

FILE = "config.yaml"
PLACE = "/boxproof/encryption"  # in the topology: the directory on this machine
KEY_BYTES = 32


def configuration() -> str:
    """Return a configuration that encrypts Secrets with a new key, and reads those in the clear too."""
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    encrypted = {"secretbox": {"keys": [{"name": "first", "secret": key}]}}
    made = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": [encrypted, {"identity": {}}]}],
    }
    return yaml.safe_dump(made, sort_keys=False)


def prepare(directory: Path) -> Path:
    """Write a new configuration into ``directory``, for its owner alone, and return the directory."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / FILE
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(configuration())
    return directory


MEMORY = 2.0  # GiB; three idle nodes hold 1.1, the rest is for the box and what checks start
INSTANCES = (
    70  # inotify instances; three idle nodes hold 58 (systemd, kubelet, containerd, the control plane)
)


def check(engine: EngineInfo, name: str) -> None:
    """Raise EnvironmentFault if there are clusters beside ``name`` and no room for it.

    A system that does not tell is not asked: then the nodes will say.
    """
    others = [each for each in clusters(engine) if each != name]
    if not others:
        return
    total, free = machine.memory()
    if total and free < MEMORY:
        hint = f"{_remove(others)}, or end other programs"
        text = f"no memory for the cluster {name}: {free:.1f} GiB are free, it takes {MEMORY:.1f}"
        raise EnvironmentFault(text, hint=hint)
    limit, used = machine.inotify("max_user_instances"), machine.inotify_used()
    if limit and limit - used < INSTANCES:
        hint = f"sysctl fs.inotify.max_user_instances={_rounded(used + INSTANCES)}, or {_remove(others)}"
        free_of = f"{limit - used} of {limit} are free, it takes {INSTANCES}"
        raise EnvironmentFault(f"no inotify instances for the cluster {name}: {free_of}", hint=hint)


def _remove(others: list[str]) -> str:
    return f"remove another cluster ({', '.join(others)}): inv down, or kind delete cluster --name NAME"


def _rounded(number: int) -> int:
    """Return the next power of two, at least 512."""
    return max(512, 1 << number.bit_length())
