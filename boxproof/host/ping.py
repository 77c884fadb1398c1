"""Whether an engine answers at an address."""

from __future__ import annotations

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

ANSWER_TIMEOUT = 5.0


def server_version(host: str, *, timeout: float = ANSWER_TIMEOUT) -> str:
    """Return the version of the engine at ``host``, or "" when none answers there."""
    try:
        client = docker.DockerClient(base_url=host, timeout=timeout)
    except (DockerException, RequestException, OSError, ValueError):
        return ""
    try:
        return str(client.version()["Version"])
    except (DockerException, RequestException, OSError, KeyError):
        return ""
    finally:
        client.close()
