"""A second cluster for the price of a container: a node's containerd under the labels kind looks for."""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from boxproof.errors import EnvironmentFault
from boxproof.wait import until

CLUSTER = "io.x-k8s.kind.cluster"
ROLE = "io.x-k8s.kind.role"
START = 30.0  # seconds for containerd in the decoy to answer
REGISTRY = "docker.io/library/"


@contextmanager
def decoy_cluster(engine: Any, like: str, labels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Give (cluster, node) of a cluster with one node that can take images and nothing else.

    ``engine`` is a docker client, ``like`` a node whose image it runs. Raises EnvironmentFault if
    its containerd does not answer in time.
    """
    cluster = f"boxproof-decoy-{uuid.uuid4().hex[:8]}"
    node = f"{cluster}-control-plane"
    image = engine.containers.get(like).attrs["Image"]
    container = engine.containers.run(
        image, name=node, detach=True, privileged=True, network_mode="none", entrypoint=["containerd"],
        labels=dict(labels) | {CLUSTER: cluster, ROLE: "control-plane"},
        tmpfs={"/var/lib/containerd": "exec", "/run": "exec"},
    )  # fmt: skip
    try:
        until(
            lambda: container.exec_run(["crictl", "images"]).exit_code == 0,
            timeout=START,
            what=f"containerd in {node}",
        )
        yield cluster, node
    finally:
        container.remove(force=True, v=True)


@contextmanager
def new_image(engine: Any) -> Iterator[str]:
    """Give the reference of an image of a few bytes that no node has ever seen; removed afterwards."""
    name = f"boxproof-cargo:{uuid.uuid4().hex[:12]}"
    repository, _, tag = name.partition(":")
    engine.api.import_image_from_data(_layer(tag), repository=repository, tag=tag)
    try:
        yield name
    finally:
        engine.images.remove(name, force=True)


def _layer(content: str) -> bytes:
    data = content.encode()
    entry = tarfile.TarInfo("cargo")
    entry.size = len(data)
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        archive.addfile(entry, io.BytesIO(data))
    return sink.getvalue()


def holders(engine: Any, nodes: Mapping[str, str], reference: str) -> list[str]:
    """Return the values of ``nodes`` (node to the name of its cluster) whose node holds ``reference``.

    Raises EnvironmentFault if a node's runtime does not answer.
    """
    found = set()
    for node, cluster in nodes.items():
        code, output = engine.containers.get(node).exec_run(["crictl", "images", "--output", "json"])
        if code:
            raise EnvironmentFault(f"crictl in {node}: {output.decode(errors='replace').strip()}")
        if f'"{REGISTRY}{reference}"' in output.decode():
            found.add(cluster)
    return sorted(found)
