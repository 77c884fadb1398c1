"""What is changed for the time of one check and cannot carry a label: noted before, put back in any case.

A node's addresses and kernel settings, objects of the cluster itself, images in nodes and engine: one file
for each in the state directory, gone once it was put back. What a killed run still owes the next one pays.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from boxproof.core.process import owner
from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.host import process_table
from boxproof.host.engine.docker_cli import docker, inside, nodes_of
from boxproof.kube.client import ApiError, Kube
from pytest_claims import progress
from pytest_claims.faults import BoxproofError

DIRECTORY = "owed"
GONE = {404, 409, 410, 422}  # the object went, or is another one of the same name: nothing is owed any more


class Debt(BaseModel):
    """How one change is put back; to do it twice does no harm.

    ``node`` and ``argv``: a command in a node. ``path``: an object of the API, to be deleted, or patched
    with ``body``. ``image``: a reference in the engine.
    """

    model_config = ConfigDict(frozen=True)

    what: str
    cluster: str = ""
    node: str = ""
    argv: tuple[str, ...] = ()
    path: str = ""
    body: Mapping[str, Any] | None = None
    form: str = "strategic-merge-patch+json"
    image: str = ""
    run: str = ""
    pid: int = 0
    pid_start: int = 0
    boot_id: str = ""

    @property
    def due(self) -> bool:
        """Whether nobody else will put it back: it is this run's own, or its process is gone."""
        mine = bool(self.run) and self.run == owner()
        return (
            mine
            or self.boot_id != process_table.boot_id()
            or process_table.start_time(self.pid) != self.pid_start
        )


@contextmanager
def noted(debt: Debt, state: Path | None = None) -> Iterator[None]:
    """Have ``debt`` noted from before the block until it has ended well; the block itself puts it back.

    After an exception it stays noted, and is paid at the end of the run. Raises OSError.
    """
    directory = (state or Settings.load().state) / DIRECTORY
    directory.mkdir(parents=True, exist_ok=True)
    mine = {
        "pid": os.getpid(),
        "pid_start": process_table.start_time(os.getpid()),
        "boot_id": process_table.boot_id(),
    }
    path = directory / f"{secrets.token_hex(8)}.json"
    part = path.with_suffix(".new")
    part.write_text(debt.model_copy(update=mine | {"run": owner()}).model_dump_json())
    part.replace(path)
    yield
    path.unlink(missing_ok=True)


@contextmanager
def in_node(
    engine: EngineInfo, cluster: str, node: str, what: str, change: Sequence[str], back: Sequence[str]
) -> Iterator[None]:
    """Change something in a node by one command, and put it back by another; errors as ``inside``."""
    with noted(Debt(what=what, cluster=cluster, node=node, argv=tuple(back))):
        inside(engine, node, list(change))
        try:
            yield
        finally:
            inside(engine, node, list(back))


def pay(state: Path, cluster: str, kube: Kube, engine: EngineInfo | None) -> list[str]:
    """Put back what is due in ``cluster`` and engine; returns what could not be, which stays noted."""
    left = []
    for path in sorted((state / DIRECTORY).glob("*.json")):
        try:
            debt = Debt.model_validate_json(path.read_text())
        except (OSError, ValidationError):  # paid by another meanwhile, or of another version
            continue
        if not debt.due or debt.cluster not in ("", cluster):
            continue
        try:
            _put_back(debt, kube, engine)
        except BoxproofError as error:
            left.append(f"{debt.what}: {error}")
            progress.say(f"not put back: {left[-1]}", style="red")
            continue
        progress.say(f"put back: {debt.what}")
        path.unlink(missing_ok=True)
    return left


def _put_back(debt: Debt, kube: Kube, engine: EngineInfo | None) -> None:
    if engine is not None and debt.node and debt.node in nodes_of(engine, debt.cluster, running=True):
        inside(engine, debt.node, list(debt.argv), check=False)
    if engine is not None and debt.image:
        docker(engine, "image", "rm", "--force", debt.image, check=False)
    if debt.path:
        try:
            if debt.body is None:
                kube.request("DELETE", debt.path, query={"propagationPolicy": "Background"})
            else:
                kube.patch(debt.path, debt.body, debt.form)
        except ApiError as error:
            if error.status not in GONE:
                raise
