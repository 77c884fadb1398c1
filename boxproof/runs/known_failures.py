"""Probes of what upstream says cannot work: each tries it in a cell and returns how it ended."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from boxproof.cluster import command_tools
from boxproof.cluster.kind import decoy_cluster
from boxproof.core.process import run
from boxproof.core.session import Session
from boxproof.host.engine import engine_client
from pytest_claims.faults import EnvironmentFault

LOAD_TIMEOUT = 120.0  # seconds for an image of a few bytes


def kind_load(session: Session) -> str:
    """Return the last line ``kind load`` of a new image ends with, "" if it succeeds.

    Raises EnvironmentFault if it cannot be tried.
    """
    engine, cluster = session.engine, session.cluster
    if engine is None or cluster is None:
        raise EnvironmentFault("there is no cluster to load into")
    client = engine_client.connect(engine.host, timeout=LOAD_TIMEOUT, certs=engine.certs)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="boxproof-tools-") as below,
            decoy_cluster.new_image(client) as image,
        ):
            env = command_tools.variables(session, Path(below))
            argv = [f"{below}/kind", "load", "docker-image", image, "--name", cluster.name]
            result = run(argv, env=env, timeout=LOAD_TIMEOUT, check=False)
            for node in cluster.nodes:
                decoy_cluster.forget(client, node, image)
    finally:
        client.close()
    lines = result.stderr.strip().splitlines() or [f"exit code {result.code}"]
    return "" if result.ok else lines[-1]


PROBES: Mapping[str, Callable[[Session], str]] = MappingProxyType({"kind-load": kind_load})
