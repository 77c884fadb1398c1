"""Whether an engine answers at an address, and what it says of itself."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from docker.errors import DockerException
from requests.exceptions import RequestException

from boxproof.host.engine import engine_client
from pytest_claims import pace

ANSWER_TIMEOUT = 5.0
ANY_VERSION = "1.44"  # no request is made to choose one; /version and /info are asked without it
UNIX = "unix://"


def server_version(host: str, *, timeout: float = ANSWER_TIMEOUT, certs: str = "") -> str:
    """Return the version of the engine at ``host``, or "" when none answers within ``timeout`` seconds.

    A slow machine gets more of them.
    """
    with _client(host, timeout, certs) as client:
        if client is None:
            return ""
        try:
            return str(client.api.version(api_version=False)["Version"])
        except (DockerException, RequestException, OSError, KeyError):
            return ""


def server_info(host: str, *, timeout: float = ANSWER_TIMEOUT, certs: str = "") -> dict[str, Any]:
    """Return what the engine at ``host`` tells by ``docker info``; empty when none answers."""
    with _client(host, timeout, certs) as client:
        if client is None:
            return {}
        try:
            return dict(client.info())
        except (DockerException, RequestException, OSError):
            return {}


def is_podman(host: str, *, timeout: float = ANSWER_TIMEOUT, certs: str = "") -> bool:
    """Return whether what answers at ``host`` calls itself Podman."""
    with _client(host, timeout, certs) as client:
        if client is None:
            return False
        try:
            parts = client.api.version(api_version=False).get("Components") or ()
        except (DockerException, RequestException, OSError):
            return False
        return any("podman" in str(each.get("Name", "")).lower() for each in parts)


@contextmanager
def _client(host: str, timeout: float, certs: str) -> Iterator[Any]:
    timeout = pace.stretched(timeout)
    if not _listens(host, timeout):
        yield None
        return
    try:
        client = engine_client.connect(host, version=ANY_VERSION, timeout=timeout, certs=certs)
    except (DockerException, RequestException, OSError, ValueError):
        yield None
        return
    try:
        yield client
    finally:
        client.close()


def _listens(host: str, timeout: float) -> bool:
    """Return whether something accepts at a Unix socket; the SDK leaks a socket where nothing does."""
    if not host.startswith(UNIX):
        return True
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(timeout)
        try:
            probe.connect(host.removeprefix(UNIX))
        except OSError:
            return False
    return True
