"""What the checks of secrets share."""

from __future__ import annotations

import secrets

import pytest

from boxproof.proof import owncluster
from boxproof.proof.factories import Containers
from boxproof.session import Session
from boxproof.stubs import certificates, cluster


@pytest.fixture
def elsewhere(container: Containers, session: Session) -> cluster.Elsewhere:
    """A stand-in for the API server of another cluster, on the cluster's network."""
    owncluster.demand_beside(session)
    authority = certificates.issue(["elsewhere.invalid"])
    files = {
        f"{cluster.DIRECTORY}/tls.crt": (authority.chain, 0o644),
        f"{cluster.DIRECTORY}/tls.key": (authority.key, 0o644),
    }
    token = f"stub-token-{secrets.token_hex(8)}"
    start, *words = cluster.command(token)
    network = session.network
    made = container(
        *words, image=session.probe_image, entrypoint=[start], files=files, network=network, user="0:0"
    )
    made.wait_log(cluster.READY)
    made.made.reload()
    return cluster.Elsewhere(made.made.attrs["NetworkSettings"]["Networks"][network]["IPAddress"], token)
