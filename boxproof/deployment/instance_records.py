"""What a session has in the cluster, written down before it is made, so that others find it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from boxproof.core.session import Session

Objects = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is kept of an instance, so that other workers and the owner of the run find it."""

    namespace: str
    suffix: str
    components: tuple[str, ...]
    objects: Objects
    token: str
    sabotaged: bool = False


def remember(
    session: Session,
    *,
    namespace: str,
    suffix: str,
    components: Sequence[str],
    objects: Objects,
    token: str,
    sabotaged: bool = False,
) -> Record:
    """Write down an instance that is about to be made, so that it is found, and removed at the end."""
    record = Record(
        namespace=namespace, suffix=suffix, components=tuple(components), objects=objects, token=token,
        sabotaged=sabotaged,
    )  # fmt: skip
    record_path(session, suffix).parent.mkdir(parents=True, exist_ok=True)
    record_path(session, suffix).write_text(json.dumps(asdict(record)))
    return record


def instances_of(session: Session) -> Path:
    """Return the directory with a record of everything this session has in the cluster."""
    return Path(session.directory) / "instances"


def record_path(session: Session, suffix: str) -> Path:
    """Return where the instance ``suffix`` is written down."""
    return instances_of(session) / f"{suffix or 'first'}.json"
