"""What a check needs: parts of the subject, the CLI that claims are about, a cluster of our own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from docker.errors import DockerException, NotFound

from boxproof.core.session import EngineInfo, Session, labels_here
from boxproof.host.engine import engine_client
from boxproof.host.engine.docker_cli import NEEDS_NODE, Guarded
from boxproof.subject import model
from pytest_claims.concurrency.scopes import Scope
from pytest_claims.faults import EnvironmentFault, Unprovable

NEEDS_ALONE = "needs a cluster of its own: it changes what others use"
NEEDS_BESIDE = "needs a place beside its own cluster, on the network of its nodes"
NEEDS_OWN = "needs a cluster of its own"
PROFILE = "claude-code"


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


# by the fixture's name; what a fixture gives of any box stands for nothing
PARTS: dict[str, tuple[str, ...]] = {
    "argv": ("mcp",),
    "as_written": ("template",),
    "box": ("workload",),
    "box_applied": ("workload",),
    "charts": ("chart-beside",),
    "clones": ("clone",),
    "compose_services": ("compose",),
    "composed": ("compose",),
    "container": ("image",),
    "documented": ("command:run",),
    "hanging": ("box",),
    "headless": ("box", "claude-code"),
    "image": ("image",),
    "kept": ("storage",),
    "listed": ("tools",),
    "make_box": ("workload",),
    "mine": ("claude-code",),
    "modes": ("box",),
    "namespaced": ("tier:namespaced",),
    "on_node": ("node-tools",),
    "operator": ("tier:operator",),
    "own_documents": ("box",),
    "rendered": ("template",),
    "sandbox": ("sandbox",),
    "default_tier": ("workload",),
    "script": ("node-scripts",),
    "shipped": ("box",),
    "shipped_once": ("box",),
    "served": ("box",),
    "steps": ("command:deploy",),
    "stub": ("claude-code",),
    "tools": ("tools",),
    "written": ("dockerfile",),
}


CLUSTER = frozenset(
    {
        "access", "aside", "box", "box_applied", "charts", "cluster", "command", "kube", "listener",
        "make_box", "mine", "nested", "outside", "sandbox", "steps", "stub", "tier", "twin",
    }
)  # fmt: skip
IMAGE = frozenset({"container", "docker", "engine", "image", "image_config", "image_layers"})


def stage_of(item: pytest.Item) -> str:
    """Return the stage from which on a check can run: "static", "image" or "cluster", by its fixtures."""
    given = set(getattr(item, "fixturenames", ())) - set(_parameters(item))
    return "cluster" if given & CLUSTER else "image" if given & IMAGE else "static"


def _parameters(item: pytest.Item) -> dict[str, object]:
    chosen = getattr(item, "callspec", None)
    return dict(chosen.params) if chosen is not None else {}


def of_check(item: pytest.Item) -> Iterator[str]:
    """Give the parts that a check's fixtures, and the fixture that a parameter names, stand for."""
    chosen = _parameters(item)
    given = [each for each in getattr(item, "fixturenames", ()) if each not in chosen]
    for name in [*given, *map(str, chosen.values())]:
        yield from PARTS.get(name, ())
    stage = stage_of(item)
    yield from {"static": (), "image": ("image",), "cluster": ("workload",)}[stage]


def demand_cli(session: Session, needs: frozenset[str]) -> None:
    """Raise Unprovable for a check about the CLI of a box whose image has none at ``image.cli``.

    Our own box is meant to have it: there the check says what is wrong without it.
    """
    if PROFILE not in needs or session.image is None or session.engine is None:
        return
    subject = model.load(Path(session.subject))
    if not answers_prompts(session, subject):
        raise Unprovable(f"the image has no {subject.image.cli}: image.cli says where its CLI is")


def answers_prompts(session: Session, subject: model.Subject) -> bool:
    """Return whether the subject's CLI can be given a prompt: it is Claude Code, and its image has it.

    Our own box is meant to have it: there a check of the prompt says what is wrong without it.
    """
    if PROFILE not in subject.profiles:
        return False
    if "box" in subject.profiles or session.image is None or session.engine is None:
        return True
    return _has(session.engine, session.image.reference, subject.image.cli)


@cache
def _has(engine: EngineInfo, image: str, path: str) -> bool:
    try:
        client = engine_client.connect(engine.host, timeout=60, certs=engine.certs)
        made = client.containers.create(image, command=["never-run"], labels=labels_here())
    except DockerException as error:
        raise EnvironmentFault(f"cannot open {image}: {error}") from error
    try:
        made.get_archive(path)  # the answer's head is enough: what follows is the whole file
    except NotFound:
        return False
    except DockerException as error:
        raise EnvironmentFault(f"cannot look for {path} in {image}: {error}") from error
    else:
        return True
    finally:
        made.remove(force=True, v=True)
        client.close()
