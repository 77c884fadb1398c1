"""What a check cannot have in a cluster that is not ours: one word for each, and where it is said."""

from __future__ import annotations

from typing import Any

from boxproof.core.session import EngineInfo, Session
from boxproof.host.engine.docker_cli import NEEDS_NODE, Guarded
from pytest_claims.concurrency.scopes import Scope
from pytest_claims.faults import Unprovable

NEEDS_ALONE = "needs a cluster of its own: it changes what others use"
NEEDS_BESIDE = "needs a place beside its own cluster, on the network of its nodes"
NEEDS_OWN = "needs a cluster of its own"


def foreign(session: Session) -> bool:
    """Return whether the session's cluster is not ours."""
    return session.cluster is not None and bool(session.cluster.context)


def allowed(session: Session, scope: Scope) -> bool:
    """Return whether checks of that scope may run: nothing changes a cluster that is not ours."""
    return scope != "cluster" or not foreign(session)


def allow(session: Session, scope: Scope, marked: bool) -> None:
    """Raise Unprovable for a check whose marks say that it needs a cluster of ours."""
    if not allowed(session, scope):
        raise Unprovable(NEEDS_ALONE)
    if marked:
        demand(session)


def guarded(client: Any, engine: EngineInfo) -> Any:
    """Return a docker client that gives no node which is closed."""
    return Guarded(client, engine.closed) if engine.closed else client


def demand(session: Session, why: str = NEEDS_OWN) -> None:
    """Raise Unprovable, with ``why``, where the session's cluster is not ours."""
    if foreign(session):
        raise Unprovable(why)


def demand_node(session: Session) -> None:
    """Raise Unprovable where nodes are not to be entered."""
    demand(session, NEEDS_NODE)


def demand_beside(session: Session) -> None:
    """Raise Unprovable where a container of the engine is not on the network of the nodes."""
    demand(session, NEEDS_BESIDE)
