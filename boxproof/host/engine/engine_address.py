"""Where the user's engine is: DOCKER_HOST, the docker context, or the default socket; and how it is asked."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from boxproof.core import settings

DEFAULT_HOST = "unix:///var/run/docker.sock"
FILES = ("ca.pem", "cert.pem", "key.pem")


@dataclass(frozen=True)
class Address:
    """``source`` is what names it; ``certs`` the directory of ca.pem, cert.pem and key.pem for TLS, or ""."""

    host: str
    source: str
    certs: str = ""

    @property
    def chosen(self) -> bool:
        """Whether somebody chose it: nothing else is taken in its place without a word."""
        return self.source != "the default"

    @property
    def elsewhere(self) -> str:
        """Why what it runs cannot be reached from this machine, "" where it can."""
        scheme, name = self.host.partition("://")[0], urlsplit(self.host).hostname or ""
        if scheme == "ssh":
            return f"{self.host} is reached by ssh: its clusters listen on the loopback of that machine"
        if scheme == "tcp" and not is_loopback(name):
            return f"{self.host} is another machine: its clusters listen on the loopback of that one"
        return ""


def is_loopback(name: str) -> bool:
    """Return whether a host's name is this machine's loopback."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def address() -> Address:
    """Return the address of the user's engine, whether it answers or not."""
    host = settings.docker_host()
    if host:
        return Address(host, "DOCKER_HOST", _given_certs() if host.startswith("tcp://") else "")
    name = settings.docker_context() or str(_json(settings.docker_config()).get("currentContext", ""))
    if name in ("", "default"):
        return Address(DEFAULT_HOST, "the default")
    return _of_context(name, settings.docker_config().parent / "contexts")


def _given_certs() -> str:
    """Return the directory that DOCKER_CERT_PATH names where TLS is asked for."""
    verify, path = settings.docker_certificates()
    return (path or str(settings.docker_config().parent)) if verify else ""


def _of_context(name: str, store: Path) -> Address:
    """Return the address of a context, as the docker client keeps it; one that is not there has none."""
    key = hashlib.sha256(name.encode()).hexdigest()
    endpoint = _json(store / "meta" / key / "meta.json").get("Endpoints", {}).get("docker", {})
    certs = store / "tls" / key / "docker"
    there = all((certs / each).is_file() for each in FILES)
    return Address(str(endpoint.get("Host", "")), f"the docker context {name}", str(certs) if there else "")


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
