"""Which nodes have what was loaded: every one the agent may land on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boxproof.cluster import command_tools
from boxproof.cluster.images import load
from boxproof.cluster.kind import decoy_cluster
from boxproof.core.session import ClusterInfo, EngineInfo, Session
from boxproof.deployment.box import Box
from boxproof.probes.pods import helper_pods
from boxproof.subject.commands import carry_out
from boxproof.subject.model import Subject
from pytest_claims import claim, control
from suites.kind import placement
from suites.kind.placement import HAS, LACKS


@claim("load-covers-schedulable-nodes")
def test_a_load_reaches_every_node_the_agent_may_land_on(
    box_applied: Box, subject: Subject, cluster: ClusterInfo, engine: EngineInfo, docker: Any,
    aside: str, session: Session, tmp_path: Path,
) -> None:  # fmt: skip
    lone, spec, kube = f"boxproof-cargo:{helper_pods.unique('lone')}", box_applied.spec, box_applied.kube
    with control("an image that one node alone has starts there and nowhere else"):
        home = helper_pods.worker(kube)
        load.tag_on_node(engine, home, session.probe_image, lone)
        try:
            seen = placement.placements(kube, aside, spec, lone, cluster.nodes)
        finally:
            load.remove(engine, cluster, [lone])
        assert seen[home] == HAS
        assert LACKS in seen.values()
    with decoy_cluster.new_image(docker) as cargo:
        values = {"image": cargo, "cluster": cluster.name}
        result = carry_out(subject.commands.load, values, command_tools.variables(session, tmp_path))
        try:
            seen = placement.placements(kube, aside, spec, cargo, cluster.nodes)
        finally:
            load.remove(engine, cluster, [cargo])
    assert result.ok, result.describe()
    assert HAS in seen.values()
    assert LACKS not in seen.values(), f"the agent may land where its image is not: {seen}"
