"""An image registry of our own on the engine's loopback, for as long as it is needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from docker.errors import DockerException

from boxproof.core.settings import Settings
from boxproof.host.fetch.apt import Apt
from boxproof.probes import containers
from boxproof.probes.reach import standing
from pytest_claims import pace
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording.observations import record

PACKAGE = "docker-registry"
SUITE = "bookworm"
PORT = "5000/tcp"
CONFIG = {
    "version": 0.1,
    "storage": {"filesystem": {"rootdirectory": "/tmp/registry"}},
    "http": {"addr": ":5000"},
}


@dataclass(frozen=True)
class Registry:
    """A registry that the engine reaches at ``address``; ``docker`` is a docker client."""

    docker: Any
    address: str

    def push(self, image: str, name: str, tag: str) -> str:
        """Push ``image`` as ``name:tag`` and return its digest there; raises EnvironmentFault."""
        reference = f"{self.address}/{name}"
        try:
            self.docker.api.tag(image, reference, tag)
            lines = [json.loads(line) for line in self.docker.api.push(reference, tag).splitlines() if line]
            self.docker.api.remove_image(f"{reference}:{tag}")
        except DockerException as error:
            raise EnvironmentFault(f"cannot push {name}:{tag}: {error}") from error
        found = [each["aux"]["Digest"] for each in lines if "Digest" in each.get("aux", {})]
        if not found:
            raise EnvironmentFault(f"cannot push {name}:{tag}: {lines[-1:]}")
        return str(found[0])

    def holds(self, part: str = "") -> dict[str, list[str]]:
        """Return the tags of each repository whose name has ``part``; raises EnvironmentFault."""
        names = self._ask("_catalog").get("repositories") or []
        found = {each: self._ask(f"{each}/tags/list").get("tags") or [] for each in names if part in each}
        record("in the registry", part, found, decides=sorted(found))
        return found

    def dead(self) -> str:
        """Return why it no longer serves, "" while it does."""
        try:
            self._ask("")
        except EnvironmentFault as fault:
            return fault.message
        return ""

    def _ask(self, path: str) -> dict[str, Any]:
        try:
            answer = httpx.get(f"http://{self.address}/v2/{path}", timeout=pace.stretched(10))
            answer.raise_for_status()
            data: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise EnvironmentFault(f"the registry does not answer: {error!r}") from error
        return data


@contextmanager
def serving(settings: Settings, docker: Any, probe_image: str, run: str) -> Iterator[Registry]:
    """Run a registry in a container of the probe image, then remove it; raises EnvironmentFault."""
    apt = Apt(settings.cache)
    suite = SUITE if apt.distribution == "debian" else apt.codename
    program = apt.unpack((PACKAGE,), suite=suite, only=("usr/bin/*",)) / "usr/bin" / PACKAGE
    files = {
        "/registry": (Path(program).read_bytes(), 0o755),
        "/registry.json": (json.dumps(CONFIG).encode(), 0o644),
    }
    container = containers.create(
        docker, probe_image, probe_image=probe_image, run=run, files=files,
        entrypoint=["/registry", "serve", "/registry.json"], ports={PORT: ("127.0.0.1", None)},
    )  # fmt: skip
    try:
        container.start().wait_log("listening on")
        container.made.reload()
        bound = container.made.attrs["NetworkSettings"]["Ports"][PORT]
        made = Registry(docker, f"127.0.0.1:{bound[0]['HostPort']}")
        with standing() as ours:
            ours.append(made)
            yield made
    finally:
        container.remove()
