"""Clusters that are not ours, that fail, that hang: nothing half-made stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.cluster.cells import check
from boxproof.cluster.kind import components, kind_clusters, node_image
from boxproof.core.settings import Settings
from pytest_claims.faults import EnvironmentFault, UsageError
from pytest_claims.waiting import until
from tests.support.cluster_fixtures import FakeEngine

CREATE = """#!/bin/sh
touch {nodes}/c-control-plane {nodes}/c-worker
{then}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state=tmp_path / "state", cache=tmp_path / "cache", cluster="c")


def use_kind(monkeypatch: pytest.MonkeyPatch, engine: FakeEngine, then: str) -> None:
    monkeypatch.setattr(kind_clusters, "LATE", 0.0)
    program = engine.directory / "kind"
    program.write_text(CREATE.format(nodes=engine.directory / "nodes", then=then))
    program.chmod(0o755)
    monkeypatch.setattr(components, "kind", lambda *_: program)


def test_a_cluster_that_is_not_ours_is_left_alone(
    engine: FakeEngine, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_kind(monkeypatch, engine, "exit 1")
    engine.add_node("c-control-plane")
    made: list[list[str]] = []
    with pytest.raises(EnvironmentFault, match="not ours"):
        kind_clusters.up(settings, engine.info, "node:1", tmp_path, making=lambda: made.append(engine.nodes))
    assert (engine.nodes, made) == (["c-control-plane"], [])
    assert kind_clusters.ours(settings) == []
    assert not kind_clusters.down(settings, engine.info)  # as the clean-up of the refused run does
    assert engine.nodes == ["c-control-plane"]


def test_a_failed_create_keeps_the_logs_and_removes_the_nodes(
    engine: FakeEngine, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_kind(monkeypatch, engine, 'echo "ERROR: failed to create cluster: boom" >&2; exit 1')
    made: list[list[str]] = []
    with pytest.raises(EnvironmentFault, match="boom") as failure:
        kind_clusters.up(settings, engine.info, "node:1", tmp_path, making=lambda: made.append(engine.nodes))
    assert made == [[]], "it is told before the first node is there"
    evidence = tmp_path / "evidence" / "cluster"
    assert str(evidence) in failure.value.hint
    assert (evidence / "c-worker" / "console.log").read_text() == "console of a node\n"
    assert "journal of c-worker" in (evidence / "c-worker" / "kubelet.log").read_text()
    assert engine.nodes == []
    assert kind_clusters.ours(settings) == []


def test_a_hung_create_ends_at_its_deadline(
    engine: FakeEngine, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_kind(monkeypatch, engine, "sleep 60")
    monkeypatch.setattr(kind_clusters, "CREATE_TIMEOUT", 0.5)
    with pytest.raises(EnvironmentFault, match="took more than"):
        kind_clusters.up(settings, engine.info, "node:1", tmp_path)
    assert engine.nodes == []


def test_a_node_that_comes_after_kind_was_ended_is_removed_too(
    engine: FakeEngine, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = engine.directory / "late"
    late.write_text(f"sleep 3; touch {engine.directory / 'nodes' / 'c-worker2'} {tmp_path / 'came'}")
    use_kind(monkeypatch, engine, f"setsid sh {late} < /dev/null > /dev/null 2>&1 &\nsleep 60")
    monkeypatch.setattr(kind_clusters, "CREATE_TIMEOUT", 0.5)
    monkeypatch.setattr(kind_clusters, "LATE", 4.0)
    with pytest.raises(EnvironmentFault, match="took more than"):
        kind_clusters.up(settings, engine.info, "node:1", tmp_path)
    until((tmp_path / "came").exists, timeout=20, what="the late node")
    assert engine.nodes == []
    assert kind_clusters.ours(settings) == []


def test_down_without_a_cluster_says_so(engine: FakeEngine, settings: Settings) -> None:
    engine.add_node("c-control-plane")
    assert not kind_clusters.down(settings, engine.info)
    assert engine.nodes == ["c-control-plane"]


def test_what_is_made_by_hand_from_our_configuration_is_ours(engine: FakeEngine, settings: Settings) -> None:
    assert kind_clusters.configured(settings, engine.info).is_file()
    engine.add_node("c-control-plane")
    assert kind_clusters.down(settings, engine.info)
    assert engine.nodes == []
    engine.add_node("c-control-plane")
    with pytest.raises(EnvironmentFault, match="not ours"):
        kind_clusters.configured(settings, engine.info)
    assert not kind_clusters.down(settings, engine.info)
    assert engine.nodes == ["c-control-plane"]


def test_an_unusable_registry_is_wrong_usage(engine: FakeEngine) -> None:
    asked = Settings(registry="http://host:5000/")
    with pytest.raises(UsageError, match="HOST:PORT"):
        node_image.find(asked, engine.info, check(asked))


def test_a_registry_without_the_image_is_a_fault(engine: FakeEngine) -> None:
    asked = Settings(registry="localhost:1", kubernetes="1.33.13")  # no digest of it is pinned
    with pytest.raises(EnvironmentFault, match="no localhost:1/kindest/node"):
        node_image.find(asked, engine.info, check(asked))
