"""Images into nodes: one stream to each, of the layers it lacks; what earlier builds left there is pruned."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

from boxproof.cluster.images import image_archive
from boxproof.cluster.images.image_archive import Door, canonical
from boxproof.cluster.kind.decoy_cluster import CARGO
from boxproof.core.process import Result
from boxproof.core.session import ClusterInfo, EngineInfo
from boxproof.host.engine import image_store
from boxproof.host.engine.docker_cli import NEEDS_NODE, docker, image_id, inside, nodes_of
from boxproof.host.engine.image_store import Way
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault, Unprovable, UsageError
from pytest_claims.waiting import until

CTR = ("ctr", "--namespace", "k8s.io")
LOAD_TIMEOUT = 600.0
SEEN_TIMEOUT = 20.0  # until the node's CRI shows what was imported
# what a node tells of itself: the option that spares 2.x a slow stream and 1.6 does not know, the blobs
# that images may refer to, and the bytes of the files that hold them
HELD = """ctr images import --help | grep --only-matching --word-regexp --max-count=1 -e --local
ctr --namespace k8s.io content ls --quiet
cd /var/lib/containerd/io.containerd.content.v1.content/blobs/sha256 && stat --format='%s %n' -- *
true"""
AGE = "24h"
MARK = "boxproof.dev/nonce"  # the label of every box


@dataclass(frozen=True)
class Held:
    """What a node holds: bytes of blobs by digest (0: it does not tell), and the options of its import."""

    blobs: Mapping[str, int]
    options: tuple[str, ...] = ()


def load(
    engine: EngineInfo,
    cluster: ClusterInfo,
    references: Sequence[str],
    ways: Sequence[Way] = image_store.WAYS,
) -> None:
    """Bring images into every node of ``cluster`` and verify their id on each.

    A node that has an image's id under its name is left alone; another gets the layers it lacks, read out
    of the engine's store in the first of ``ways`` that is possible. Raises UsageError for an image the
    engine does not have or a cluster without nodes, EnvironmentFault when a node does not take it,
    Unprovable for a cluster that is not ours.
    """
    if cluster.context:
        raise Unprovable(NEEDS_NODE)
    nodes = nodes_of(engine, cluster.name, running=True)
    if not nodes:
        raise UsageError(f"no cluster {cluster.name}", hint="inv up makes it; inv doctor lists what there is")
    wanted = {reference: identity(engine, reference) for reference in references}
    lacking = missing(engine, nodes, wanted)
    if not lacking:
        return
    names = sorted({each for absent in lacking.values() for each in absent})
    with progress.step(f"loading {' '.join(names)} into {len(lacking)} nodes"):
        _transfer(engine, tuple(lacking), names, ways)
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
    if not image_store.of_containerd(engine):
        return found
    try:
        with image_store.opened(engine, reference) as store:
            return store.image(reference).id
    except EnvironmentFault:
        with image_archive.saved(engine, [reference]) as stream:
            return image_archive.config_digest(stream)


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
    inside(
        engine,
        node,
        [*CTR, "images", "tag", "--force", image_archive.canonical(source), image_archive.canonical(target)],
    )
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
    inside(
        engine, node, [*CTR, "images", "rm", "--sync", *map(image_archive.canonical, references)], check=False
    )
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


def _transfer(
    engine: EngineInfo, nodes: Sequence[str], references: Sequence[str], ways: Sequence[Way]
) -> None:
    """Import into ``nodes`` the layers each lacks; where that cannot be done, all of what docker saves."""
    with ThreadPoolExecutor(len(nodes) + 1) as pool:
        near = pool.submit(image_archive.volumes, engine, nodes) if "local" in ways else None
        held = dict(zip(nodes, pool.map(lambda node: _held(engine, node), nodes), strict=True))
    places = near.result() if near else {}
    nothing = {node: replace(each, blobs={}) for node, each in held.items()}
    known_of = (held, nothing)  # a node lets go of what it holds after a load that was interrupted
    try:
        if any(_by_difference(engine, references, known, ways, places) for known in known_of):
            return
    except EnvironmentFault as fault:
        progress.say(f"the layers cannot be sent by themselves: {fault.message}")
    progress.say("saving the whole image")
    for known in known_of:
        with image_archive.saved(engine, references) as stream:
            results = _import(engine, known, partial(image_archive.distribute, stream), {})
        broken = [each for each in results if not each.ok]
        if not broken:
            return
    raise EnvironmentFault(f"a node does not take the image: {broken[0].describe()}")


def _by_difference(
    engine: EngineInfo,
    references: Sequence[str],
    held: Mapping[str, Held],
    ways: Sequence[Way],
    places: Mapping[str, Path],
) -> bool:
    """Send the layers out of the engine's store; return whether every node took them.

    Raises EnvironmentFault where the store cannot be read in any of ``ways``.
    """
    sizes: dict[str, int] = {}
    for each in held.values():
        sizes |= each.blobs
    sent: list[int] = []
    with image_store.opened(engine, references[0], ways) as store:
        members = image_archive.members(store, references, sizes)
        results = _import(engine, held, partial(_distribute, members, sent), places)
    refused = [each for each in results if not each.ok]
    if refused:
        progress.say(f"a node does not take the layers it lacks: {refused[0].describe().splitlines()[-1]}")
        return False
    progress.say(f"{sum(sent) / 1e6:.1f} MB read and sent")
    return True


def _distribute(
    members: Sequence[image_archive.Member], sent: list[int], sinks: Sequence[image_archive.Sink]
) -> None:
    sent.append(image_archive.distribute_members(members, sinks))


def _import(
    engine: EngineInfo,
    held: Mapping[str, Held],
    write: Callable[[Sequence[image_archive.Sink]], object],
    places: Mapping[str, Path],
) -> list[Result]:
    """Have each node import what ``write`` writes to its sink, in one stream, and return how it went.

    The stream goes through a pipe in a node's volume where ``places`` has it, else through the engine.
    """
    with image_archive.opened(places) as named, ThreadPoolExecutor(len(held)) as pool:
        sinks, imports = [], []
        for node, each in held.items():
            door = named.get(node)
            sink = image_archive.Sink(frozenset(each.blobs), door.here if door else None)
            take = partial(_take, engine, node, each.options, door)
            sinks.append(sink)
            imports.append(pool.submit(sink.feed, take))
        write(sinks)
        return [each.result() for each in imports]


def _take(
    engine: EngineInfo, node: str, options: Sequence[str], door: Door | None, source: IO[bytes]
) -> Result:
    origin = door.inside if door else "-"
    argv = [*CTR, "images", "import", *options, "--snapshotter", "overlayfs", origin]
    stdin = None if door else source
    return inside(engine, node, argv, timeout=LOAD_TIMEOUT, check=False, stdin=stdin)


def _held(engine: EngineInfo, node: str) -> Held:
    lines = [line.split() for line in inside(engine, node, ["sh", "-c", HELD]).stdout.splitlines()]
    known = {each[0] for each in lines if len(each) == 1}
    sizes = {f"sha256:{each[1]}": int(each[0]) for each in lines if len(each) == 2}
    options = tuple(sorted(known & {"--local"}))
    return Held({each: sizes.get(each, 0) for each in known.difference(options)}, options)


def _settled(engine: EngineInfo, nodes: Sequence[str], wanted: dict[str, str]) -> dict[str, list[str]]:
    """Return what is still missing once no node's view changes any more."""
    left: dict[str, list[str]] = {}

    def look() -> bool:
        nonlocal left
        left = missing(engine, nodes, wanted)
        return not left

    try:
        until(look, timeout=SEEN_TIMEOUT, what="images on the nodes", every=0.1)
    except EnvironmentFault:
        return left
    return {}


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
