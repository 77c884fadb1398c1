"""A second cluster for the price of a container: a node's containerd under the labels kind looks for."""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from boxproof.core.session import KIND_CLUSTER_LABEL, KIND_ROLE_LABEL, ClusterInfo, labels_here
from boxproof.host.engine.docker_cli import said
from boxproof.subject.copies import carry_out
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import observations
from pytest_claims.waiting import until

NAMELESS = ("kind", "load", "docker-image", "{image}")
START = 30.0  # seconds for containerd in the decoy to answer
CARGO = "boxproof-cargo"  # repository of the images of a few bytes
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
        labels=dict(labels) | {KIND_CLUSTER_LABEL: cluster, KIND_ROLE_LABEL: "control-plane"},
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
    name = f"{CARGO}:{uuid.uuid4().hex[:12]}"
    repository, _, tag = name.partition(":")
    labels = [f"LABEL {key}={value}" for key, value in labels_here().items()]
    engine.api.import_image_from_data(_layer(tag), repository=repository, tag=tag, changes=labels)
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
        argv = ["crictl", "images", "--output", "json"]
        code, output = said(engine.containers.get(node), argv, again=True)
        if code:
            raise EnvironmentFault(f"crictl in {node}: {output.decode(errors='replace').strip()}")
        if f'"{REGISTRY}{reference}"' in output.decode():
            found.add(cluster)
    return sorted(found)


@dataclass(frozen=True)
class Landed:
    """How a load went: its exit code, and which clusters have the image: "named" or "default"."""

    code: int
    clusters: tuple[str, ...]


class Loads:
    """Loads into a cluster beside which another stands that a load without a name goes to.

    ``engine`` is a docker client, ``other`` (cluster, node) of that other one, ``env`` has the tools.
    """

    def __init__(
        self, engine: Any, cluster: ClusterInfo, other: tuple[str, str], env: Mapping[str, str]
    ) -> None:
        self.engine = engine
        self.nodes = dict.fromkeys(cluster.nodes, "named") | {other[1]: "default"}
        self.env = dict(env) | {"KIND_CLUSTER_NAME": other[0], "BOXPROOF_CLUSTER": other[0]}

    def carry_out(self, words: Sequence[str], cluster: str) -> Landed:
        """Load a new image with a documented command that is told ``cluster``; an observation."""
        with new_image(self.engine) as image:
            try:
                result = carry_out(words, {"image": image, "cluster": cluster}, self.env)
                seen = Landed(result.code, tuple(holders(self.engine, self.nodes, image)))
            finally:
                for node in self.nodes:
                    forget(self.engine, node, image)
        observations.record("load", f"{' '.join(words)} for {cluster or 'no cluster'}", seen)
        return seen


def forget(engine: Any, node: str, reference: str) -> None:
    """Remove a name from a node's images; one that is not there is fine."""
    argv = ["ctr", "--namespace", "k8s.io", "images", "rm", f"{REGISTRY}{reference}"]
    engine.containers.get(node).exec_run(argv)
