"""Published node images: whether a registry that can be reached has one for a cell, by digest."""

from __future__ import annotations

import re

from boxproof.cluster.cells import Cell
from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.host.engine.docker_cli import docker
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault, UsageError

ASK_TIMEOUT = 15.0
PULL_TIMEOUT = 900.0
PREFIX = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?(/[a-z0-9._/-]+)?")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def find(settings: Settings, engine: EngineInfo, cell: Cell) -> str:
    """Return a pulled node image "NAME:TAG@sha256:…", or "" where none can be had.

    With ``settings.registry`` (HOST[:PORT]) that registry must have it, else EnvironmentFault; without,
    the public one is asked if cells.toml pins an image. Raises UsageError for an unusable registry.
    """
    name = _name(settings.registry, cell)
    if not name:
        return ""
    pinned = cell.published.digest if cell.published else ""
    found = pinned if pinned and _has(engine, f"{name}@{pinned}") else ""
    if not found and settings.registry:
        found = _asked(engine, name)
    if not found:
        return ""
    reference = f"{name}@{found}"
    if not _local(engine, reference):
        with progress.step(f"pulling {name}") as report:
            docker(engine, "pull", reference, timeout=PULL_TIMEOUT, on_line=report)
    return reference


def _name(registry: str, cell: Cell) -> str:
    image = cell.published.image if cell.published else f"kindest/node:v{cell.kubernetes.version}"
    if not registry:
        return image if cell.published else ""
    if not PREFIX.fullmatch(registry):
        raise UsageError(f"registry {registry!r}", hint="give HOST, HOST:PORT or HOST:PORT/PATH")
    return f"{registry}/{image}"


def _local(engine: EngineInfo, reference: str) -> bool:
    return docker(engine, "image", "inspect", "--format", "ok", reference, check=False).ok


def _has(engine: EngineInfo, reference: str) -> bool:
    words = ["buildx", "imagetools", "inspect", reference]
    return _local(engine, reference) or docker(engine, *words, timeout=ASK_TIMEOUT, check=False).ok


def _asked(engine: EngineInfo, name: str) -> str:
    """Return the digest a registry has under a tag: what is used from then on."""
    words = ["buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", name]
    answer = docker(engine, *words, timeout=ASK_TIMEOUT, check=False)
    found = DIGEST.search(answer.stdout)
    if not answer.ok or not found:
        hint = "push a node image there, or leave BOXPROOF_REGISTRY empty to build one"
        last = (answer.stderr.strip().splitlines() or ["no digest"])[-1]
        raise EnvironmentFault(f"no {name}: {last}", hint=hint)
    return found[0]
