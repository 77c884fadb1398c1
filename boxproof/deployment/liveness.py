"""Whether the environment a check ran in is still there: the API server and the engine answer."""

from __future__ import annotations

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from boxproof.core.session import Session
from boxproof.kube.client import Kube
from pytest_claims import pace
from pytest_claims.faults import EnvironmentFault

TRIES = 2  # one dropped connection is not a dead server


def liveness(session: Session) -> str | None:
    """Return None while engine and API server answer, else which one does not."""
    return _engine(session) or _cluster(session)


def _engine(session: Session) -> str | None:
    if session.engine is None:
        return None
    try:
        client = docker.DockerClient(base_url=session.engine.host, timeout=pace.stretched(5))
        try:
            client.ping()
        finally:
            client.close()
    except (DockerException, RequestException) as error:
        return f"the engine does not answer: {error}"
    return None


def _cluster(session: Session) -> str | None:
    if session.cluster is None:
        return None
    try:
        kube = Kube(session.cluster.kubeconfig)
    except EnvironmentFault as fault:
        return fault.message
    alive = any(kube.alive() for _ in range(TRIES))
    kube.close()
    if alive:
        return None
    return f"the API server of {session.cluster.name} does not answer"
