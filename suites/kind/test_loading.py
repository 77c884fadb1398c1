"""Which nodes have what was loaded: every one the agent may land on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boxproof.cluster import decoy, load, placement, toolbox
from boxproof.cluster.placement import HAS, LACKS
from boxproof.probes import helpers
from boxproof.proof import Box, claim, control
from boxproof.session import ClusterInfo, EngineInfo, Session
from boxproof.subject.commands import carry_out
from boxproof.subject.model import Subject


@claim("load-covers-schedulable-nodes")
def test_a_load_reaches_every_node_the_agent_may_land_on(
    box_applied: Box, subject: Subject, cluster: ClusterInfo, engine: EngineInfo, docker: Any,
    aside: str, session: Session, tmp_path: Path,
) -> None:  # fmt: skip
    lone, spec, kube = f"boxproof-cargo:{helpers.unique('lone')}", box_applied.spec, box_applied.kube
    with control("an image that one node alone has starts there and nowhere else"):
        home = helpers.worker(kube)
        load.tag_on_node(engine, home, session.probe_image, lone)
        try:
            seen = placement.placements(kube, aside, spec, lone, cluster.nodes)
        finally:
            load.remove(engine, cluster, [lone])
        assert seen[home] == HAS
        assert LACKS in seen.values()
    with decoy.new_image(docker) as cargo:
        values = {"image": cargo, "cluster": cluster.name}
        result = carry_out(subject.commands.load, values, toolbox.variables(session, tmp_path))
        try:
            seen = placement.placements(kube, aside, spec, cargo, cluster.nodes)
        finally:
            load.remove(engine, cluster, [cargo])
    assert result.ok, result.describe()
    assert HAS in seen.values()
    assert LACKS not in seen.values(), f"the agent may land where its image is not: {seen}"
