"""Images into nodes, against ``kind load docker-image`` with the same image and the same nodes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

from boxproof.bench.bench_session import Bench, timed
from boxproof.cluster.images import image_archive, load
from boxproof.deployment import deploy
from boxproof.host.engine import image_store
from boxproof.host.engine.docker_cli import docker, inside
from boxproof.host.engine.image_store import Way
from boxproof.reports.bench_results import Measure
from boxproof.subject.image import image_build
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import until

KIND_LOAD = "kind load docker-image"
CHANGE = "USER root\nRUN head -c 1000000 /dev/urandom > /usr/share/change\nUSER 1000:1000"
UNUSED_TIMEOUT = 120.0  # until the kubelet has removed the containers of the instances
CHANGED = "a new layer of 1 MB"


def unchanged(bench: Bench) -> list[Measure]:
    """All nodes have the image already."""
    reference = bench.image.reference
    load.load(bench.engine, bench.cluster, [reference])
    theirs, ours = bench.turns(
        lambda: timed(lambda: _kind_load(bench, reference)),
        lambda: timed(lambda: load.load(bench.engine, bench.cluster, [reference])),
    )
    note = _note(bench, "unchanged")
    return [
        Measure(name="load-unchanged", baseline=KIND_LOAD, baseline_seconds=theirs, seconds=ours, note=note)
    ]


def layer_change(bench: Bench) -> list[Measure]:
    """All nodes have the image, and one with another layer on top is loaded: new content every time."""
    load.load(bench.engine, bench.cluster, [bench.image.reference])
    theirs, ours, api = bench.turns(
        partial(_changed, bench, None),
        partial(_changed, bench, image_store.WAYS),
        partial(_changed, bench, ("api",)),
    )
    note = _note(bench, CHANGED)
    return [
        Measure(
            name="load-layer-change",
            baseline=KIND_LOAD,
            baseline_seconds=theirs,
            seconds=ours,
            target=50,
            note=note,
        ),
        Measure(
            name="load-layer-change-api",
            baseline=KIND_LOAD,
            baseline_seconds=theirs,
            seconds=api,
            target=5,
            note=f"{note}, with the Docker API alone",
        ),
    ]


def cold(bench: Bench) -> list[Measure]:
    """No node has any layer of the image."""
    deploy.remove_instances(bench.session)

    def turn(ours: bool) -> float:
        _empty(bench)
        reference = bench.image.reference
        if ours:
            return timed(lambda: load.load(bench.engine, bench.cluster, [reference]))
        return timed(lambda: _kind_load(bench, reference))

    theirs, ours = bench.turns(partial(turn, False), partial(turn, True))
    note = _note(bench, "nodes without any of its layers")
    return [
        Measure(
            name="load-cold", baseline=KIND_LOAD, baseline_seconds=theirs, seconds=ours, target=2, note=note
        )
    ]


def _note(bench: Bench, what: str) -> str:
    megabytes = bench.image.unpacked_bytes / 1e6
    return f"The box ({megabytes:.0f} MB unpacked) into {len(bench.cluster.nodes)} nodes: {what}"


def _changed(bench: Bench, ways: Sequence[Way] | None) -> float:
    """Return the seconds a changed image takes to all nodes; ``ways`` None is kind's own."""
    with _variant(bench) as reference:
        if ways is None:
            return timed(lambda: _kind_load(bench, reference))
        return timed(lambda: load.load(bench.engine, bench.cluster, [reference], ways))


@contextmanager
def _variant(bench: Bench) -> Iterator[str]:
    """Give the image with a layer of its own on top, and remove it from engine and nodes again."""
    made = image_build.variant(bench.engine, bench.image, CHANGE, "bench")
    try:
        yield made.reference
    finally:
        load.remove(bench.engine, bench.cluster, [made.reference])
        docker(bench.engine, "image", "rm", "--force", made.reference, check=False)


def _kind_load(bench: Bench, reference: str) -> None:
    """Load with kind, and see that the nodes have it; raises EnvironmentFault."""
    bench.kind("load", "docker-image", reference, "--name", bench.cluster.name)
    wanted = {reference: load.identity(bench.engine, reference)}
    left = load.missing(bench.engine, bench.cluster.nodes, wanted)
    if left:
        raise EnvironmentFault(f"after kind load, nodes lack images: {left}")


def _empty(bench: Bench) -> None:
    """Take the box out of every node, with all its layers."""
    with ThreadPoolExecutor(len(bench.cluster.nodes)) as pool:
        list(pool.map(partial(_empty_node, bench), bench.cluster.nodes))


def _empty_node(bench: Bench, node: str) -> None:
    repository = image_archive.canonical(bench.image.reference).rpartition(":")[0]
    images = _listed(bench, node, "images")
    ids = {each["id"] for each in images if _of(each, repository)}

    def unused() -> bool:  # what was stopped keeps its layers too
        return not any(each["imageRef"] in ids for each in _listed(bench, node, "ps"))

    until(unused, timeout=UNUSED_TIMEOUT, what=f"no container of the box on {node}")
    if ids:
        inside(bench.engine, node, ["crictl", "rmi", *sorted(ids)], timeout=300)
    blobs = inside(bench.engine, node, [*load.CTR, "content", "ls", "--quiet"]).stdout.split()
    layers = image_store.inspected(bench.engine, bench.image.reference)["RootFS"]["Layers"]
    if set(blobs) & set(layers):
        raise EnvironmentFault(f"{node} still holds layers of {bench.image.reference}")


def _listed(bench: Bench, node: str, what: str) -> list[dict[str, Any]]:
    everything = ["--all"] if what == "ps" else []
    told = json.loads(inside(bench.engine, node, ["crictl", what, *everything, "--output", "json"]).stdout)
    found: list[dict[str, Any]] = told["images" if what == "images" else "containers"]
    return found


def _of(image: dict[str, Any], repository: str) -> bool:
    names = [*(image.get("repoTags") or ()), *(image.get("repoDigests") or ())]
    return any(str(each).startswith(f"{repository}:") for each in names)
