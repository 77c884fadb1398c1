"""What decides beside subject, harness and cell: settings, the engine asked for, this machine."""

from __future__ import annotations

import hashlib
import json
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

from boxproof.core import settings as environment
from boxproof.core.settings import Settings
from pytest_claims.recording import source_forms

DECIDE = (
    "registry",
    "snapshot",
    "binary_cache",
    "engine",
)  # settings: where what a run is made of comes from


def digest_of(settings: Settings) -> str:
    """Return a digest of it; two runs with different ones are not about the same."""
    told = {
        "settings": {name: getattr(settings, name) for name in DECIDE},
        "vulnerabilities": _content(settings.vulnerability_db),
        "engine": [environment.docker_host(), environment.docker_context()],
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": _packages(),
    }
    return source_forms.digest(json.dumps(told, sort_keys=True))


@cache
def _packages() -> list[str]:
    """Return what is installed with versions: what this process has imported stays as it was."""
    return sorted({f"{each.name} {each.version}" for each in metadata.distributions()})


def _content(path: str) -> str:
    if not path or not Path(path).is_file():
        return path
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
