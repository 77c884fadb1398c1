"""Whether the CLI that claims are about is in the image: where it is said to be, or nowhere that is known."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from docker.errors import DockerException, NotFound

from boxproof.core.labels import labels_here
from boxproof.core.session import EngineInfo, Session
from boxproof.host.engine import engine_client
from boxproof.subject import model
from pytest_claims.faults import EnvironmentFault, Unprovable

PROFILE = "claude-code"


def demand(session: Session, needs: frozenset[str]) -> None:
    """Raise Unprovable for a check about the CLI of a box whose image has none at ``image.cli``.

    Our own box is meant to have it: there the check says what is wrong without it.
    """
    if PROFILE not in needs or session.image is None or session.engine is None:
        return
    subject = model.load(Path(session.subject))
    if "box" in subject.profiles or _has(session.engine, session.image.reference, subject.image.cli):
        return
    raise Unprovable(f"the image has no {subject.image.cli}: image.cli says where its CLI is")


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
