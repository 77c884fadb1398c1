"""What the checks of secrets share."""

from __future__ import annotations

import secrets

import pytest

from boxproof.core.session import Session
from boxproof.deployment import cluster_requirements
from boxproof.fixtures.factories import Containers
from boxproof.stubs import certificates
from suites.secrets import api_server


@pytest.fixture
def elsewhere(container: Containers, session: Session) -> api_server.Elsewhere:
    """A stand-in for the API server of another cluster, on the cluster's network."""
    cluster_requirements.demand_beside(session)
    authority = certificates.issue(["elsewhere.invalid"])
    files = {
        f"{api_server.DIRECTORY}/tls.crt": (authority.chain, 0o644),
        f"{api_server.DIRECTORY}/tls.key": (authority.key, 0o644),
    }
    token = f"stub-token-{secrets.token_hex(8)}"
    start, *words = api_server.command(token)
    network = session.network
    made = container(
        *words, image=session.probe_image, entrypoint=[start], files=files, network=network, user="0:0"
    )
    made.wait_log(api_server.READY)
    made.made.reload()
    return api_server.Elsewhere(made.made.attrs["NetworkSettings"]["Networks"][network]["IPAddress"], token)
