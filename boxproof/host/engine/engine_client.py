"""Where the user's engine is, whether it answers, and what it says of itself; the client it is asked with."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
from docker.errors import DockerException
from docker.tls import TLSConfig
from docker.utils.proxy import ProxyConfig
from requests.exceptions import RequestException

from boxproof.core import settings
from pytest_claims import pace

HEADER = struct.Struct(">BxxxL")  # which stream, and how many bytes follow: Docker Engine API, "Attach"
STDERR = 2
DEFAULT_HOST = "unix:///var/run/docker.sock"
FILES = ("ca.pem", "cert.pem", "key.pem")
ANSWER_TIMEOUT = 5.0
ANY_VERSION = "1.44"  # no request is made to choose one; /version and /info are asked without it
UNIX = "unix://"


class Api(docker.APIClient):  # type: ignore[misc]  # the SDK has no types
    """The SDK's low-level client, with its own way to run an exec whose whole output is wanted."""

    def exec_start(
        self,
        exec_id: str,
        detach: bool = False,
        tty: bool = False,
        stream: bool = False,
        socket: bool = False,
        demux: bool = False,
    ) -> Any:
        """Run an exec: as the SDK does, but that no byte of an output that is returned at the end is lost.

        The SDK reads the frames from the socket, past the buffer through which it has read the answer's
        header: what an engine sent together with that header, as it does on a busy machine, is lost.
        Without ``demux`` this returns stdout and stderr as they came, with it both apart, each None if empty.
        """
        if detach or tty or stream or socket:
            return super().exec_start(exec_id, detach, tty, stream, socket, demux)
        with self._post_json(
            self._url("/exec/{0}/start", exec_id),
            data={"Tty": False, "Detach": False},
            stream=True,
            timeout=(self.timeout, None),  # it may be silent for as long as it likes
        ) as response:
            self._raise_for_status(response)
            said = list(_frames(response.raw))
        if not demux:
            return b"".join(text for _, text in said)
        apart = [
            b"".join(text for number, text in said if (number == STDERR) is err) for err in (False, True)
        ]
        return tuple(each or None for each in apart)


class Client(docker.DockerClient):  # type: ignore[misc]
    """The SDK's client on top of ``Api``; options and errors as the SDK's."""

    def __init__(self, **options: Any) -> None:
        """Connect to the engine."""
        self.api = Api(**options)


def _frames(raw: Any) -> Iterator[tuple[int, bytes]]:
    """Yield stream and bytes of each frame, until the engine ends the answer."""
    while len(header := raw.read(HEADER.size)) == HEADER.size:
        number, size = HEADER.unpack(header)
        yield number, raw.read(size)


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
        client = connect(host, version=ANY_VERSION, timeout=timeout, certs=certs)
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


def connect(host: str, *, timeout: float, certs: str = "", **options: Any) -> Client:
    """Return a client of the engine at ``host``; errors as the docker SDK's.

    Neither HTTP_PROXY nor the proxies of the user's docker configuration are used: the first would be asked
    for addresses of this machine, the second be put into containers that are looked at.
    """
    tls = None
    if certs:
        ca, cert, key = (str(Path(certs) / each) for each in FILES)
        tls = TLSConfig(client_cert=(cert, key), ca_cert=ca, verify=True)
        host = host.replace("tcp://", "https://", 1)
    client = Client(base_url=host, timeout=timeout, tls=tls or False, **options)
    client.api.trust_env = False
    client.api._proxy_configs = ProxyConfig()
    return client
