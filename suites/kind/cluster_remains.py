"""What is there of a KIND cluster and of an image: nodes, contexts, volumes, names in the engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from boxproof.cluster import contexts
from boxproof.core.session import KIND_CLUSTER_LABEL as CLUSTER_LABEL
from pytest_claims.recording import observations


@dataclass(frozen=True)
class Remains:
    """Whether something of each kind is there."""

    nodes: bool
    context: bool
    image: bool
    volumes: bool


ALL, NONE = Remains(True, True, True, True), Remains(False, False, False, False)


def volumes_of(engine: Any, cluster: str) -> list[str]:
    """Return the volumes of a cluster's nodes; ``engine`` is a docker client."""
    nodes = engine.containers.list(all=True, filters={"label": f"{CLUSTER_LABEL}={cluster}"})
    mounts = (mount for each in nodes for mount in each.attrs["Mounts"])
    return sorted(str(each["Name"]) for each in mounts if each["Type"] == "volume")


def remains(
    engine: Any, cluster: str, image: str, volumes: Sequence[str], kubeconfigs: Iterable[Path]
) -> Remains:
    """Return what is there of ``cluster``, of every tag of ``image`` and of ``volumes``; an observation."""
    known = {each.name for each in engine.volumes.list()}
    nodes = engine.containers.list(all=True, filters={"label": f"{CLUSTER_LABEL}={cluster}"})
    found = Remains(
        nodes=bool(nodes),
        context=any(contexts.of(cluster) in _contexts(each) for each in kubeconfigs),
        image=bool(engine.images.list(name=image)),
        volumes=bool(known & set(volumes)),
    )
    observations.record("remains", cluster, found)
    return found


def _contexts(kubeconfig: Path) -> set[str]:
    data = yaml.safe_load(kubeconfig.read_text()) or {}
    return {str(each["name"]) for each in data.get("contexts") or ()}
