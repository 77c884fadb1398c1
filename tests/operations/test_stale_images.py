"""What is stale: a node or a pod with other content under the build's name."""

from __future__ import annotations

from typing import Any

import pytest

from boxproof.core.session import ClusterInfo, ImageInfo
from boxproof.operations import stale_images
from pytest_claims.faults import UsageError
from tests.support.cluster_fixtures import FakeEngine

IMAGE = ImageInfo(reference="box:new", config_digest="sha256:new", nonce="n")
CLUSTER = ClusterInfo(name="c", kubeconfig="", nodes=("c-one", "c-two"), kind="0.33.0")


class FakeKube:
    """An API server with one StatefulSet of ``image`` whose pod runs ``image_id`` ("" for no pod)."""

    def __init__(self, image: str, image_id: str) -> None:
        self.image = image
        self.image_id = image_id

    def list(self, *_: object) -> list[dict[str, Any]]:
        """Return the StatefulSet."""
        spec = {"containers": [{"name": "claude", "image": self.image}]}
        return [{"metadata": {"name": "agent"}, "spec": {"template": {"spec": spec}}}]

    def find(self, *_: object) -> dict[str, Any] | None:
        """Return the pod."""
        if not self.image_id:
            return None
        spec = {"nodeName": "c-one", "containers": [{"name": "claude", "image": self.image}]}
        return {"spec": spec, "status": {"containerStatuses": [{"name": "claude", "imageID": self.image_id}]}}


def found(monkeypatch: pytest.MonkeyPatch, engine: FakeEngine, kube: FakeKube, **nodes: str) -> list[str]:
    """Return what is stale on nodes that have the given ids under the build's name."""
    for node in CLUSTER.nodes:
        has = nodes.get(node.replace("-", "_"), IMAGE.config_digest)
        engine.add_node(node, **{"box:new": has, "sha256:new": "sha256:new", "sha256:old": "sha256:old"})
    monkeypatch.setattr(stale_images, "Kube", lambda _: kube)
    return [str(each) for each in stale_images.stale(engine.info, CLUSTER, IMAGE, "claude")]


def test_nothing_is_stale_where_all_have_the_build(
    monkeypatch: pytest.MonkeyPatch, engine: FakeEngine
) -> None:
    assert found(monkeypatch, engine, FakeKube("box:new", "sha256:new")) == []


def test_a_node_and_a_pod_with_other_content_are_named(
    monkeypatch: pytest.MonkeyPatch, engine: FakeEngine
) -> None:
    stale = found(monkeypatch, engine, FakeKube("box:older", "sha256:old"), c_two="sha256:old")
    assert stale == ["node c-two has sha256:old", "pod claude/agent-0 has sha256:old"]


def test_a_pod_that_is_not_there_has_nothing(monkeypatch: pytest.MonkeyPatch, engine: FakeEngine) -> None:
    assert found(monkeypatch, engine, FakeKube("box:new", "")) == ["pod claude/agent-0 has nothing"]


def test_other_images_are_none_of_its_business(monkeypatch: pytest.MonkeyPatch, engine: FakeEngine) -> None:
    with pytest.raises(UsageError, match="nothing in claude runs box"):
        found(monkeypatch, engine, FakeKube("postgres:16", "sha256:old"))
