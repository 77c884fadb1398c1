"""Secrets at rest: the API server's encryption configuration, with a new key for each cluster."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

import yaml

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
