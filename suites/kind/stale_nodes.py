"""Nodes on which a tag is there and stands for other content than the engine's: the stale image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from boxproof.cluster.images import load
from boxproof.cluster.kind import decoy_cluster
from boxproof.core.session import ClusterInfo, EngineInfo, ImageInfo
from boxproof.subject.image import image_build
from pytest_claims.recording import observations


@dataclass(frozen=True)
class OnNodes:
    """What the nodes have under a tag: whether every one has it, and whether it is the wanted content."""

    tagged: bool
    same: bool


def on_nodes(engine: EngineInfo, cluster: ClusterInfo, reference: str, digest: str) -> OnNodes:
    """Return what every node has under ``reference``, ``digest`` being the id of the wanted content."""
    found = {node: load.node_image_id(engine, node, reference) for node in cluster.nodes}
    seen = OnNodes(all(found.values()), set(found.values()) == {digest})
    observations.record("image ids on the nodes", reference, found)
    observations.record("nodes", reference, seen)
    return seen


@contextmanager
def stale_tag(engine: EngineInfo, cluster: ClusterInfo, client: Any, old: str) -> Iterator[tuple[str, str]]:
    """Give (tag, image id) of a new image the nodes have never seen, whose tag names ``old`` on each.

    ``client`` is a docker client, ``old`` an image that every node has.
    """
    with decoy_cluster.new_image(client) as name:
        try:
            for node in cluster.nodes:
                load.tag_on_node(engine, node, old, name)
            yield name, str(client.images.get(name).id)
        finally:
            load.remove(engine, cluster, [name])


@contextmanager
def stale_box(
    engine: EngineInfo, cluster: ClusterInfo, client: Any, image: ImageInfo, suffix: str
) -> Iterator[ImageInfo]:
    """Give a rebuilt image whose tag names the old content on every node, until it is loaded.

    Its new content waits on the nodes under another name, so that a load is a matter of seconds.
    """
    made = image_build.variant(engine, image, "LABEL boxproof.rebuilt=1", suffix)
    waiting = f"{made.reference}-waiting"
    try:
        client.images.get(made.reference).tag(waiting)
        load.load(engine, cluster, [waiting])
        for node in cluster.nodes:
            load.tag_on_node(engine, node, image.reference, made.reference)
        yield made
    finally:
        load.remove(engine, cluster, [waiting, made.reference])
        for name in (waiting, made.reference):
            client.images.remove(name, force=True)
