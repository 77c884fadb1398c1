"""Which nodes have what was loaded: every one the agent may land on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from boxproof.cluster import command_tools
from boxproof.cluster.images import load
from boxproof.cluster.kind import decoy_cluster
from boxproof.core.process import CommandTimedOut
from boxproof.core.session import ClusterInfo, EngineInfo, Session
from boxproof.deployment.box import Box
from boxproof.probes.pods import helper_pods
from boxproof.subject.copies import carry_out
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from suites.kind import placement
from suites.kind.placement import HAS, LACKS

WITHIN = 120.0  # seconds that a load of a small image may take on all nodes, whatever their number here
HANGS = ("sleep", "600")
COVERS = require(
    "it is somewhere, and on every node that the agent may land on",
    lambda seen: HAS in seen.values() and LACKS not in seen.values(),
)
LOADS = require(f"the load succeeds within {WITHIN:.0f} s", lambda ended: ended == "ended with 0")


@claim("load-covers-schedulable-nodes")
def test_a_load_reaches_every_node_the_agent_may_land_on(
    box_applied: Box, subject: Subject, cluster: ClusterInfo, engine: EngineInfo, docker: Any,
    aside: str, session: Session, tmp_path: Path,
) -> None:  # fmt: skip
    env = command_tools.variables(session, tmp_path)
    lone, spec, kube = f"boxproof-cargo:{helper_pods.unique('lone')}", box_applied.spec, box_applied.kube
    with control("an image that one node alone has starts there and nowhere else"):
        home = helper_pods.worker(kube)
        load.tag_on_node(engine, home, session.probe_image, lone)
        try:
            seen = placement.placements(kube, aside, spec, lone, cluster.nodes)
        finally:
            load.remove(engine, cluster, [lone])
        assert COVERS.fails(where("an image of one node", seen))[home] == HAS
        LOADS.fails(observe("exit code", "a load that hangs", loaded_in_time(HANGS, {}, env, 5)))
    with decoy_cluster.new_image(docker) as cargo:
        values = {"image": cargo, "cluster": cluster.name}
        LOADS(
            observe(
                "exit code",
                " ".join(subject.commands.load),
                loaded_in_time(subject.commands.load, values, env, WITHIN),
            )
        )
        try:
            seen = placement.placements(kube, aside, spec, cargo, cluster.nodes)
        finally:
            load.remove(engine, cluster, [cargo])
    COVERS(where("an image that was loaded", seen))


def where(asked: str, seen: dict[str, str]) -> dict[str, str]:
    """Return what is there on each node; an observation."""
    return observe("on the nodes", asked, dict(seen))


def loaded_in_time(
    words: Sequence[str], values: Mapping[str, str], env: Mapping[str, str], seconds: float
) -> str:
    """Return "ended with CODE", or that a command did not end in so many seconds (more on a slow machine)."""
    try:
        return f"ended with {carry_out(words, values, env, timeout=seconds).code}"
    except CommandTimedOut:
        return f"no end within {seconds:.0f} s"
