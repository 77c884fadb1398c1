"""Each tier as the harness applies it, and what its own tools give before the harness puts a login there."""

from __future__ import annotations

from collections.abc import Iterator

from boxproof.core.session import Session
from boxproof.deployment import deploy
from boxproof.kube.client import Object
from boxproof.subject.model import Subject
from suites import agent_starts


def tiers(session: Session, subject: Subject) -> Iterator[tuple[str, list[Object]]]:
    """Give each tier and its objects; then the objects whose variables nobody has put others in the place of.

    The variable of ``start.token_env`` is one of a Secret wherever the harness renders.
    """
    yield from agent_starts.tiers(session, subject)
    yield "of what is written", deploy.as_written(session)
