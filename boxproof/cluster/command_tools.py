"""The tools documented commands call, under their plain names: docker, kind and kubectl of this run."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from boxproof.cluster import cells
from boxproof.cluster.kind import components
from boxproof.core.session import Session
from boxproof.core.settings import Settings
from pytest_claims.faults import EnvironmentFault, Unprovable


def variables(session: Session, directory: Path) -> dict[str, str]:
    """Return the variables under which documented commands reach this run's engine and cluster.

    ``directory`` gets links to the tools. Raises EnvironmentFault if the session lacks one, Unprovable in
    a cluster that is not ours: documented commands load into nodes, and make and remove clusters.
    """
    engine, cluster = session.engine, session.cluster
    if engine is None or cluster is None:
        raise EnvironmentFault("this run has no engine or no cluster")
    if cluster.context:
        raise Unprovable("needs a cluster of its own for the documented commands")
    settings = replace(
        Settings.load(), cache=Path(session.cache), state=Path(session.state), kind=cluster.kind
    )
    kind = components.kind(settings, cells.check(settings).kind)
    programs = {"docker": engine.client, "kind": str(kind), "kubectl": cluster.kubectl}
    own = Path(sys.executable).parent / "inv"  # not resolved: beside it are this environment's programs
    programs |= {"inv": str(own)} if own.is_file() else {}
    for name, program in programs.items():
        link = directory / name
        if not link.is_symlink():
            link.symlink_to(program)
    path = os.pathsep.join([str(directory), engine.env["PATH"]])
    return engine.env | {"PATH": path, "KUBECONFIG": cluster.kubeconfig}
