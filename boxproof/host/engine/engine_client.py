"""The one way to an engine's API: by TLS where there are certificates, and past every proxy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docker
from docker.tls import TLSConfig
from docker.utils.proxy import ProxyConfig

from boxproof.host.engine.engine_address import FILES


def connect(host: str, *, timeout: float, certs: str = "", **options: Any) -> docker.DockerClient:
    """Return a client of the engine at ``host``; errors as the docker SDK's.

    Neither HTTP_PROXY nor the proxies of the user's docker configuration are used: the first would be asked
    for addresses of this machine, the second be put into containers that are looked at.
    """
    tls = None
    if certs:
        ca, cert, key = (str(Path(certs) / each) for each in FILES)
        tls = TLSConfig(client_cert=(cert, key), ca_cert=ca, verify=True)
        host = host.replace("tcp://", "https://", 1)
    client = docker.DockerClient(base_url=host, timeout=timeout, tls=tls or False, **options)
    client.api.trust_env = False
    client.api._proxy_configs = ProxyConfig()
    return client
