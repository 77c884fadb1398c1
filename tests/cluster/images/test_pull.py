"""Nodes have what was pushed before anything waits for it, or the run says which does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from boxproof.cluster.images import pull
from pytest_claims.faults import EnvironmentFault

Object = dict[str, Any]
WANTED = {"r/probe:1": ("sha256:p",), "r/box:1": ("sha256:m", "sha256:i")}
LABELS = {"boxproof.dev/run": "r"}


class Cluster:
    """A cluster whose nodes have ``ids`` by image, or a reason why not."""

    def __init__(self, nodes: int = 2, **ids: str) -> None:
        self.nodes = [f"n{number}" for number in range(nodes)]
        self.ids = {"r/probe:1": "r/probe@sha256:p", "r/box:1": "r/box@sha256:m"} | {
            f"r/{name}:1": value for name, value in ids.items()
        }
        self.made: list[Object] = []
        self.deleted: list[Object] = []

    def list(self, _: str) -> list[Object]:
        """Return the nodes."""
        return [{"metadata": {"name": each}, "spec": {}} for each in self.nodes]

    def create(self, item: Object) -> None:
        """Take a pod."""
        self.made.append(item)

    def delete(self, items: Sequence[Object], **_: object) -> None:
        """Note pods."""
        self.deleted += items

    def get(self, _: str, name: str, __: str) -> Object:
        """Return a pod with what its node has."""
        pod = next(each for each in self.made if each["metadata"]["name"] == name)
        return pod | {
            "status": {"containerStatuses": [self.status(each) for each in pod["spec"]["containers"]]}
        }

    def status(self, container: Object) -> Object:
        """Return the state of one container: an image that is there need not start."""
        has = self.ids[container["image"]]
        waiting = (
            {"reason": "ErrImagePull", "message": has} if " " in has else {"reason": "RunContainerError"}
        )
        return {
            "name": container["name"], "state": {"waiting": waiting}, "imageID": "" if " " in has else has,
        }  # fmt: skip


def test_every_node_has_both_and_the_pods_go_again() -> None:
    cluster = Cluster(box="sha256:i")
    pull.pull(cluster, "home", WANTED, LABELS)  # type: ignore[arg-type]
    assert [each["spec"]["nodeName"] for each in cluster.made] == ["n0", "n1"]
    assert {each["imagePullPolicy"] for pod in cluster.made for each in pod["spec"]["containers"]} == {
        "IfNotPresent"
    }
    assert all(each["metadata"]["labels"] == LABELS for each in cluster.made)
    assert cluster.deleted == cluster.made


def test_a_node_that_cannot_pull_is_named_with_its_reason() -> None:
    cluster = Cluster(box="no basic auth credentials")
    with pytest.raises(EnvironmentFault, match=r"node n0 does not pull r/box:1: no basic auth") as found:
        pull.pull(cluster, "home", WANTED, LABELS)  # type: ignore[arg-type]
    assert "docs/existing-cluster.md" in found.value.hint


def test_older_content_under_the_name_is_named() -> None:
    cluster = Cluster(box="r/box@sha256:older")
    with pytest.raises(
        EnvironmentFault, match=r"node n0 has r/box@sha256:older as r/box:1, not what was pushed"
    ):
        pull.pull(cluster, "home", WANTED, LABELS)  # type: ignore[arg-type]


def test_of_many_nodes_some_pull() -> None:
    cluster = Cluster(nodes=30)
    pull.pull(cluster, "home", WANTED, LABELS)  # type: ignore[arg-type]
    assert len(cluster.made) == pull.NODES
