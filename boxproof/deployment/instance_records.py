"""What a session has in the cluster, written down before it is made, so that others find it."""

from __future__ import annotations

import hashlib
import json
import os
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
    private(record_path(session, suffix), json.dumps(asdict(record)))
    return record


def private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def instances_of(session: Session) -> Path:
    """Return the directory with a record of everything this session has in the cluster."""
    part = hashlib.sha256(session.directory.encode()).hexdigest()[:8]
    return home_of(Path(session.state), session.run) / part


def home_of(state: Path, run: str) -> Path:
    """Return the directory of all that a run has written down of its instances.

    It holds their Secrets: it is no part of a report, and only its owner may read it.
    """
    return state / "instances" / run


def record_path(session: Session, suffix: str) -> Path:
    """Return where the instance ``suffix`` is written down."""
    return instances_of(session) / f"{suffix or 'first'}.json"
