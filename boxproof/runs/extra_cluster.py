"""Clusters that checks make beside the run's: named before they are made, gone with the run at the latest."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from boxproof.cluster.kind import kind_clusters
from boxproof.core.session import EngineInfo, Session
from boxproof.core.settings import PREFIX, Settings
from boxproof.host import process_table
from boxproof.runs import ownership
from pytest_claims.faults import EnvironmentFault

MAKES = f"{PREFIX}CLUSTER"  # in the environment of every step that is told another cluster than the run's


@contextmanager
def another(session: Session) -> Iterator[str]:
    """Give the name of a cluster that may be made beside the run's; raises EnvironmentFault."""
    if session.engine is None:
        raise EnvironmentFault("this run has no engine")
    name = f"boxproof-beside-{secrets.token_hex(3)}"
    settings = replace(Settings.load(), state=Path(session.state))
    ownership.note(settings, ownership.of(settings, session.run), cluster=name)
    try:
        yield name
    finally:
        remove(session.engine, name)
        ownership.forget(settings, ownership.of(settings, session.run), cluster=name)


def remove(engine: EngineInfo, name: str) -> None:
    """Remove the nodes of such a cluster, after what may still be making it was ended.

    Raises EnvironmentFault if one does not go.
    """
    process_table.end(MAKES, name, what=f"what makes the cluster {name}")
    kind_clusters.remove(engine, name)


def left(settings: Settings, record: ownership.RunRecord) -> list[str]:
    """Return what the workers of a run noted since ``record`` and did not live to remove."""
    noted = set(ownership.of(settings, record.run).clusters)
    return sorted(noted - {*record.clusters, record.cluster})


def remove_left(settings: Settings, engine: EngineInfo, record: ownership.RunRecord) -> None:
    """Remove what is ``left``; raises EnvironmentFault for one that does not go, and leaves it noted."""
    for name in left(settings, record):
        remove(engine, name)
        ownership.forget(settings, ownership.of(settings, record.run), cluster=name)
