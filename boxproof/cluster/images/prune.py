"""What earlier builds left in the nodes and in the engine: a few hundred megabytes for every edit."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from boxproof.cluster.images.image_archive import canonical
from boxproof.cluster.kind.decoy_cluster import CARGO
from boxproof.core.session import ClusterInfo, EngineInfo
from boxproof.host.engine.docker_cli import docker, inside, nodes_of

AGE = "24h"
MARK = "boxproof.dev/nonce"  # the label of every box


def prune(engine: EngineInfo, cluster: ClusterInfo, keep: Sequence[str]) -> None:
    """Remove from the nodes what nothing uses of ``keep``'s repositories, from our engine what is old.

    ``keep`` stays, and so does what a container was made from; in the user's own engine everything does.
    Other runs may be about to use what is new in the engine. Raises EnvironmentFault if a node is silent.
    """
    nodes = nodes_of(engine, cluster.name, running=True)
    with ThreadPoolExecutor(max(len(nodes), 1)) as pool:
        list(pool.map(lambda node: _prune_node(engine, node, keep), nodes))
    if engine.way == "embedded":
        words = [
            "image",
            "prune",
            "--all",
            "--force",
            "--filter",
            f"until={AGE}",
            "--filter",
            f"label={MARK}",
        ]
        docker(engine, *words, timeout=300)


def superseded(images: Sequence[dict[str, Any]], used: Collection[str], keep: Sequence[str]) -> list[str]:
    """Return from a node's ``images`` (as crictl lists them) those to remove: names, ids where there is none.

    ``used`` are the ids containers were made from.
    """
    stay = {canonical(each) for each in keep}
    repositories, cargo = {_repository(each) for each in stay}, _repository(canonical(f"{CARGO}:any"))
    found: list[str] = []
    for image in images:
        names = image.get("repoTags") or []
        if image["id"] in used:
            continue
        if not names and not image.get("repoDigests"):
            found.append(image["id"])
        found += [each for each in names if _repository(each) in repositories and each not in stay]
        if not stay.intersection(names):  # of a check that was killed, and not another name of what stays
            found += [each for each in names if _repository(each) == cargo]
    return found


def _prune_node(engine: EngineInfo, node: str, keep: Sequence[str]) -> None:
    images = json.loads(inside(engine, node, ["crictl", "images", "--output", "json"]).stdout)["images"]
    made = json.loads(inside(engine, node, ["crictl", "ps", "--all", "--output", "json"]).stdout)
    used = {each.get("imageRef", "") for each in made["containers"]}
    old = superseded(images, used, keep)
    if old:
        inside(engine, node, ["crictl", "rmi", *old], check=False, timeout=300)


def _repository(reference: str) -> str:
    return reference.rpartition(":")[0]
