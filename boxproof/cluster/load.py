"""Images into nodes: one stream from the engine to all nodes, without the layers a node already has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import IO

from boxproof import log
from boxproof.cluster import archive
from boxproof.cluster.docker import docker, image_id, inside, nodes_of
from boxproof.errors import EnvironmentFault, UsageError
from boxproof.run import Result
from boxproof.session import ClusterInfo, EngineInfo
from boxproof.wait import until

CTR = ("ctr", "--namespace", "k8s.io")
LOAD_TIMEOUT = 600.0
SEEN_TIMEOUT = 20.0  # until the node's CRI shows what was imported


def load(engine: EngineInfo, cluster: ClusterInfo, references: Sequence[str]) -> None:
    """Bring images into every node of ``cluster`` and verify their id on each.

    A node that has an image's id under its name is left alone. Raises UsageError for an image the
    engine does not have or a cluster without nodes, EnvironmentFault when a node does not take it.
    """
    nodes = nodes_of(engine, cluster.name, running=True)
    if not nodes:
        raise UsageError(f"no cluster {cluster.name}", hint="inv up makes it; inv doctor lists what there is")
    wanted = {reference: identity(engine, reference) for reference in references}
    lacking = missing(engine, nodes, wanted)
    if not lacking:
        return
    names = sorted({each for absent in lacking.values() for each in absent})
    with log.step(f"loading {' '.join(names)} into {len(lacking)} nodes"):
        _transfer(engine, tuple(lacking), names)
        left = _settled(engine, nodes, wanted)
    if left:
        raise EnvironmentFault(f"after loading, nodes lack images: {left}", hint="is a node's disk full?")


def missing(engine: EngineInfo, nodes: Sequence[str], wanted: dict[str, str]) -> dict[str, list[str]]:
    """Return for each node that lacks some the references whose id is not the ``wanted`` one."""
    questions = [(node, reference) for node in nodes for reference in wanted]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda each: node_image_id(engine, *each), questions))
    lacking: dict[str, list[str]] = {}
    for (node, reference), found in zip(questions, answers, strict=True):
        if found != wanted[reference]:
            lacking.setdefault(node, []).append(reference)
    return lacking


def preloaded(engine: EngineInfo, cluster: ClusterInfo, references: Sequence[str]) -> dict[str, list[str]]:
    """Return for each node the references it has no image for at all: pods that name them cannot start."""
    found = {
        node: [each for each in references if node_image_id(engine, node, each) is None]
        for node in cluster.nodes
    }
    return {node: lacking for node, lacking in found.items() if lacking}


def identity(engine: EngineInfo, reference: str) -> str:
    """Return an image's config digest: its id in a node, whatever store the engine uses.

    Raises UsageError when the engine has no such image.
    """
    found = image_id(engine, reference)
    if not found:
        raise UsageError(f"the engine has no image {reference}", hint="build it first")
    if not _containerd_store(engine):
        return found
    with archive.saved(engine, [reference]) as stream:
        return archive.config_digest(stream)


def node_image_id(engine: EngineInfo, node: str, reference: str) -> str | None:
    """Return the id that ``reference`` has on a node, None if it has none; raises EnvironmentFault."""
    result = inside(engine, node, ["crictl", "inspecti", "--output", "json", reference], check=False)
    if result.ok:
        return str(json.loads(result.stdout)["status"]["id"])
    if "no such image" in result.stderr or "not found" in result.stderr.lower():
        return None
    raise EnvironmentFault(f"{node} does not say which image {reference} is: {result.describe()}")


def tag_on_node(engine: EngineInfo, node: str, source: str, target: str) -> None:
    """Have ``target`` stand for the image of ``source`` on one node; raises EnvironmentFault."""
    wanted = node_image_id(engine, node, source)
    if wanted is None:
        raise EnvironmentFault(f"{node} has no image {source}")
    inside(engine, node, [*CTR, "images", "tag", "--force", canonical(source), canonical(target)])
    until(
        lambda: node_image_id(engine, node, target) == wanted,
        timeout=SEEN_TIMEOUT,
        what=f"{target} on {node} is {source}",
    )


def remove(engine: EngineInfo, cluster: ClusterInfo, references: Sequence[str]) -> None:
    """Take names of images off every node, and images without a name; what is gone already is fine.

    Raises EnvironmentFault when a name stays.
    """
    nodes = nodes_of(engine, cluster.name, running=True)
    with ThreadPoolExecutor(max(len(nodes), 1)) as pool:
        list(pool.map(lambda node: _remove(engine, node, references), nodes))


def _remove(engine: EngineInfo, node: str, references: Sequence[str]) -> None:
    found = {node_image_id(engine, node, each) for each in references} - {None}
    inside(engine, node, [*CTR, "images", "rm", "--sync", *map(canonical, references)], check=False)
    until(
        partial(_without, engine, node, references),
        timeout=SEEN_TIMEOUT,
        what=f"{node} without {' '.join(references)}",
    )
    for identity in sorted(filter(None, found)):
        shown = inside(engine, node, ["crictl", "inspecti", "--output", "json", identity], check=False)
        if shown.ok and not json.loads(shown.stdout)["status"].get("repoTags"):
            inside(engine, node, ["crictl", "rmi", identity], check=False)


def _without(engine: EngineInfo, node: str, references: Sequence[str]) -> bool:
    return all(node_image_id(engine, node, each) is None for each in references)


def canonical(reference: str) -> str:
    """Return a reference as containerd spells it: with registry, repository and tag."""
    first, slash, _ = reference.partition("/")
    if not slash:
        reference = f"docker.io/library/{reference}"
    elif not ("." in first or ":" in first or first == "localhost"):
        reference = f"docker.io/{reference}"
    named = "@" in reference or ":" in reference.rpartition("/")[2]
    return reference if named else f"{reference}:latest"


def _containerd_store(engine: EngineInfo) -> bool:
    return "io.containerd.snapshotter" in docker(engine, "info", "--format", "{{json .DriverStatus}}").stdout


def _transfer(engine: EngineInfo, nodes: Sequence[str], references: Sequence[str]) -> None:
    """Import into ``nodes``: first what each lacks; where that fails, everything."""
    with ThreadPoolExecutor(len(nodes)) as pool:
        held = dict(zip(nodes, pool.map(lambda node: _content(engine, node), nodes), strict=True))
    failed = [result for result in _stream(engine, references, held) if not result.ok]
    if not failed:
        return
    again = _stream(engine, references, {node: frozenset() for node in nodes})
    broken = [result for result in again if not result.ok]
    if broken:
        raise EnvironmentFault(f"a node does not take the image: {broken[0].describe()}")


def _stream(engine: EngineInfo, references: Sequence[str], held: dict[str, frozenset[str]]) -> list[Result]:
    with ThreadPoolExecutor(len(held)) as pool, archive.saved(engine, references) as stream:
        sinks = [archive.Sink(blobs) for blobs in held.values()]
        imports = [
            pool.submit(sink.feed, partial(_import, engine, node))
            for node, sink in zip(held, sinks, strict=True)
        ]
        archive.distribute(stream, sinks)
        return [each.result() for each in imports]


def _import(engine: EngineInfo, node: str, source: IO[bytes]) -> Result:
    argv = [*CTR, "images", "import", "--local", "--snapshotter", "overlayfs", "-"]
    return inside(engine, node, argv, timeout=LOAD_TIMEOUT, check=False, stdin=source)


def _content(engine: EngineInfo, node: str) -> frozenset[str]:
    """Return the digests of the blobs a node has."""
    return frozenset(inside(engine, node, [*CTR, "content", "ls", "--quiet"]).stdout.split())


def _settled(engine: EngineInfo, nodes: Sequence[str], wanted: dict[str, str]) -> dict[str, list[str]]:
    """Return what is still missing once no node's view changes any more."""
    left: dict[str, list[str]] = {}

    def look() -> bool:
        nonlocal left
        left = missing(engine, nodes, wanted)
        return not left

    try:
        until(look, timeout=SEEN_TIMEOUT, what="images on the nodes", every=0.5)
    except EnvironmentFault:
        return left
    return {}
