"""What a cluster that is not ours does not give makes checks unproven, never green, never refuted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from boxproof.cluster import command_tools
from boxproof.cluster.images import load
from boxproof.core.session import ClusterInfo, EngineInfo, Session
from boxproof.core.settings import ROOT
from boxproof.deployment import cluster_requirements
from boxproof.fixtures.subject_steps import Nested, steps_of
from boxproof.host.engine.docker_cli import NEEDS_NODE, inside
from boxproof.probes.pods.node_view import Inside
from boxproof.subject import model
from pytest_claims.faults import Unprovable

Suite = Callable[..., Any]
ENGINE = EngineInfo(way="user", host="unix:///nowhere", version="1", client="false", closed=("w",))
CLUSTER = ClusterInfo(name="at-x", kubeconfig="k", nodes=("w",), kind="", context="prod")
BODY = """
def test_it():
    bound = require("it is bound", lambda phase: phase == "Bound")
    with control("the opposite"):
        bound.fails(observe("phase", "other", "Pending"))
    bound(observe("phase", "own", "Bound"))
"""


@pytest.fixture
def session(session: Session) -> Session:
    """A session in a cluster that is not ours."""
    return replace(session, engine=ENGINE, cluster=CLUSTER)


@pytest.mark.parametrize(
    ("mark", "reason"),
    [
        ("@pytest.mark.scope('cluster')", cluster_requirements.NEEDS_ALONE),
        ("@pytest.mark.own_cluster", cluster_requirements.NEEDS_OWN),
    ],
)
def test_marks_make_unproven(suite: Suite, mark: str, reason: str) -> None:
    ran = suite(f"@claim('pvc-bound')\n{mark}{BODY}")
    assert (ran.only.verdict, ran.only.reason) == ("unproven", reason)
    assert ran.code != 0


def test_without_a_mark_it_is_proven(suite: Suite) -> None:
    assert suite(f"@claim('pvc-bound'){BODY}").only.verdict == "proven"


@pytest.mark.parametrize(
    "body",
    [
        "enter()",
        "with control('on the node'):\n        enter()",
        "assert until(lambda: enter(), timeout=5, what='x')",
    ],
)
def test_a_node_that_is_asked_for_makes_unproven_wherever_it_is(suite: Suite, body: str) -> None:
    ran = suite(f"""
from boxproof.host.engine.docker_cli import inside
from boxproof.core.session import EngineInfo
from pytest_claims.waiting import until
ENGINE = EngineInfo(way="user", host="", version="", client="false", closed=("w",))
def enter():
    inside(ENGINE, "w", ["true"])
@claim("pvc-bound")
def test_it():
    {body}
""")
    assert (ran.only.verdict, ran.only.reason) == ("unproven", NEEDS_NODE)
    assert ran.only.failed_controls == ()


class Engine:
    """A docker client on which a node of the other cluster runs too."""

    class containers:  # noqa: N801 (the SDK calls it so)
        """Its containers."""

        @staticmethod
        def get(name: str) -> str:
            """Return any."""
            return f"container {name}"

        @staticmethod
        def list() -> list[str]:
            """Return all."""
            return ["mine"]

    def ping(self) -> bool:
        """Answer."""
        return True


def test_nodes_are_closed_even_where_the_same_engine_runs_them() -> None:
    client = cluster_requirements.guarded(Engine(), ENGINE)
    assert (client.containers.get("mine"), client.containers.list(), client.ping()) == (
        "container mine",
        ["mine"],
        True,
    )
    pod = {"spec": {"nodeName": "w"}, "metadata": {"name": "p"}}
    with pytest.raises(Unprovable, match=NEEDS_NODE):
        Inside(client, pod, "main")
    own = replace(ENGINE, closed=())
    assert cluster_requirements.guarded(Engine(), own).containers.get("w") == "container w"


def test_every_door_to_nodes_and_steps_is_closed(session: Session, tmp_path: Path) -> None:
    subject = model.load(ROOT)
    doors: list[Callable[[], object]] = [
        lambda: inside(ENGINE, "w", ["true"]),
        lambda: load.load(ENGINE, CLUSTER, ["box:1"]),
        lambda: load.tag_on_node(ENGINE, "w", "box:1", "box:2"),
        lambda: command_tools.variables(session, tmp_path),
        lambda: steps_of(session, subject, tmp_path).__enter__(),
        lambda: Nested(session, subject, tmp_path)(subject.commands.test, label="x"),
        lambda: cluster_requirements.demand_node(session),
        lambda: cluster_requirements.demand_beside(session),
    ]
    for door in doors:
        with pytest.raises(Unprovable):
            door()


def test_in_a_cluster_of_ours_they_are_open(session: Session) -> None:
    own = replace(session, cluster=replace(CLUSTER, context=""))
    cluster_requirements.allow(own, "cluster", True)
    cluster_requirements.demand_beside(own)
    cluster_requirements.demand_node(replace(session, cluster=None))
