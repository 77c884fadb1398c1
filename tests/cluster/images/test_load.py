"""Which nodes lack which images, by id, and how references are spelt."""

from __future__ import annotations

import pytest

from boxproof.cluster.images import image_archive, load
from boxproof.core.session import ClusterInfo
from pytest_claims.faults import EnvironmentFault, UsageError
from tests.cluster.images.test_image_archive import MEMBERS, OLD, made
from tests.support.cluster_fixtures import FakeEngine

CLUSTER = ClusterInfo(name="c", kubeconfig="", nodes=("a", "b"), kind="0.33.0")


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("box", "docker.io/library/box:latest"),
        ("box:1", "docker.io/library/box:1"),
        ("me/box:1", "docker.io/me/box:1"),
        ("localhost/box:1", "localhost/box:1"),
        ("host:5000/box", "host:5000/box:latest"),
        ("host.example/a/box@sha256:abc", "host.example/a/box@sha256:abc"),
    ],
)
def test_references_are_spelt_as_containerd_does(given: str, canonical: str) -> None:
    assert image_archive.canonical(given) == canonical


def test_a_node_lacks_an_image_whose_id_is_another(engine: FakeEngine) -> None:
    engine.add_node("a", box="sha256:1")
    engine.add_node("b", box="sha256:2")
    assert load.missing(engine.info, ["a", "b"], {"box": "sha256:1"}) == {"b": ["box"]}
    assert load.missing(engine.info, ["a", "b"], {"other": "sha256:1"}) == {"a": ["other"], "b": ["other"]}
    assert load.preloaded(engine.info, CLUSTER, ["box", "other"]) == {"a": ["other"], "b": ["other"]}


def test_nothing_is_moved_when_all_nodes_have_it(engine: FakeEngine) -> None:
    engine.add_node("a", box="sha256:1")
    (engine.directory / "engine" / "box").write_text("sha256:1")
    load.load(engine.info, CLUSTER, ["box"])
    assert "save" not in (engine.directory / "log").read_text()


def saving(engine: FakeEngine) -> None:
    engine.add_node("a")
    (engine.directory / "engine" / "box").write_text("sha256:1")
    (engine.directory / "archive").write_bytes(made().getvalue())
    (engine.directory / "held").write_text(f"--local\nsha256:{OLD}\n9 {OLD}\n")


def test_a_store_that_cannot_be_read_is_saved_without_what_the_node_holds(engine: FakeEngine) -> None:
    saving(engine)
    load.load(engine.info, CLUSTER, ["box"])
    (given,) = engine.imports("a")
    assert given == {name for name in MEMBERS if OLD not in name}
    assert "images import --local --snapshotter overlayfs" in (engine.directory / "log").read_text()


def test_a_node_that_let_go_of_what_it_held_gets_everything(engine: FakeEngine) -> None:
    saving(engine)
    (engine.directory / "refuse").write_text("1")
    load.load(engine.info, CLUSTER, ["box"])
    assert engine.imports("a")[-1] == set(MEMBERS)


def test_a_node_that_takes_nothing_is_a_fault(engine: FakeEngine) -> None:
    saving(engine)
    (engine.directory / "refuse").write_text("9")
    with pytest.raises(EnvironmentFault, match="does not take the image"):
        load.load(engine.info, CLUSTER, ["box"])
    assert len(engine.imports("a")) == 2


def test_a_node_that_does_not_answer_is_a_fault_not_a_missing_image(engine: FakeEngine) -> None:
    engine.add_node("a")
    (engine.directory / "broken").touch()
    with pytest.raises(EnvironmentFault, match="does not say"):
        load.node_image_id(engine.info, "a", "box")


def test_a_cluster_without_nodes_and_an_unknown_image_are_wrong_usage(engine: FakeEngine) -> None:
    with pytest.raises(UsageError, match="no cluster c"):
        load.load(engine.info, CLUSTER, ["box"])
    engine.add_node("a")
    with pytest.raises(UsageError, match="no image box"):
        load.load(engine.info, CLUSTER, ["box"])
