"""The box by its Compose file: projects that come up and go down, on the engine in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from boxproof import pace
from boxproof.cluster.docker import docker
from boxproof.errors import EnvironmentFault, SubjectFault
from boxproof.probes import ledger
from boxproof.probes.helpers import unique
from boxproof.probes.local import LocalContainer
from boxproof.probes.pods import RUN_LABEL
from boxproof.run import Result
from boxproof.session import EngineInfo, Session
from boxproof.subject.model import Subject

UP = 180.0  # seconds until healthy
SERVICE_LABEL = "com.docker.compose.service"
PROJECT_LABEL = "com.docker.compose.project"


class Project:
    """One project of the subject's Compose file and ``files``; ``engine_client`` is a docker client.

    Its containers, networks and volumes carry the run's label, so that a killed run's are found.
    """

    def __init__(
        self, composed: Composed, files: Sequence[Path], services: Mapping[str, Any], env: Mapping[str, str]
    ) -> None:
        self.composed = composed
        self.name = unique("boxproof-compose")
        self.own = composed.directory / f"{self.name}.yaml"
        labels = {RUN_LABEL: composed.session.run}
        labelled = {name: {**each, "labels": labels} for name, each in services.items()}
        labelled |= {composed.subject.compose.service: {"labels": labels}}
        volumes = yaml.safe_load(composed.file.read_text()).get("volumes") or {}
        extra = {"services": labelled, "networks": {"default": {"labels": labels}}}
        extra |= {"volumes": {each: {"labels": labels} for each in volumes}}
        self.own.write_text(yaml.safe_dump(extra))
        self.started = False
        self.files = [composed.file, *files, self.own]
        self.env = {"CLAUDE_IMAGE": composed.image, **env}

    def compose(self, *words: str, timeout: float = 180) -> Result:
        """Run ``docker compose``; its failure is an answer."""
        files = [word for each in self.files for word in ("--file", str(each))]
        argv = ("compose", "--project-name", self.name, *files, *words)
        return docker(self.composed.engine, *argv, timeout=timeout, check=False, env=self.env)

    def services(self) -> list[str]:
        """Return the services it starts; an observation. Raises SubjectFault if Compose refuses the file."""
        done = self.compose("config", "--services")
        if not done.ok:
            raise SubjectFault(f"docker compose refuses the file: {done.stderr.strip()[-400:]}")
        found = sorted(done.stdout.split())
        ledger.record("services", self.composed.file.name, found)
        return found

    def up(self) -> LocalContainer:
        """Start it and return the box's container once it is healthy; raises SubjectFault if it is not."""
        self.services()
        self.started = True
        limit = pace.stretched(UP)
        done = self.compose("up", "--detach", "--wait", "--wait-timeout", f"{limit:.0f}", timeout=limit + 60)
        if done.ok:
            return self.box()
        said = done.stderr.strip()[-400:]
        logs = self.compose("logs", "--no-color", "--tail", "5").stdout.strip()[-400:]
        if not self._containers():
            raise EnvironmentFault(f"the engine makes no container: {said}")
        raise SubjectFault(f"docker compose up: {said}; {logs}")

    def down(self, *words: str) -> None:
        """Remove containers and networks, with "--volumes" the volumes too; raises EnvironmentFault."""
        done = self.compose("down", "--remove-orphans", "--timeout", "5", *words, timeout=120)
        if not done.ok:
            raise EnvironmentFault(f"docker compose down: {done.stderr.strip()[-400:]}")

    def box(self) -> LocalContainer:
        """Return the container of the box's service; raises SubjectFault if there is not one of them."""
        made = self.container(self.composed.subject.compose.service)
        return LocalContainer(self.composed.docker, made, self.composed.session.probe_image)

    def container(self, service: str) -> Any:
        """Return the container of a service; raises SubjectFault if there is not one of them."""
        found = [each for each in self._containers() if each.labels.get(SERVICE_LABEL) == service]
        if len(found) != 1:
            raise SubjectFault(f"{len(found)} containers of the service {service} run")
        return found[0]

    def address(self, service: str) -> str:
        """Return the address of a service's container on its first network."""
        networks = self.container(service).attrs["NetworkSettings"]["Networks"]
        return str(next(iter(networks.values()))["IPAddress"])

    def _containers(self) -> list[Any]:
        label = f"{PROJECT_LABEL}={self.name}"
        return list(self.composed.docker.containers.list(all=True, filters={"label": label}))


class Composed:
    """``composed(…)`` gives a project of its own; ``directory`` is for what it writes."""

    def __init__(
        self, session: Session, engine: EngineInfo, docker_client: Any, subject: Subject, directory: Path
    ) -> None:
        self.session = session
        self.engine = engine
        self.docker = docker_client
        self.subject = subject
        self.directory = directory
        self.made: list[Project] = []
        file = subject.path(subject.compose.file)
        if file is None:
            raise SubjectFault(
                "the subject has no Compose file", hint="subject.toml names it: [compose] file"
            )
        if session.image is None:
            raise EnvironmentFault("this run has no image of the box")
        self.file = file
        self.image = session.image.reference

    def __call__(
        self,
        *,
        socket: bool = False,
        services: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Project:
        """Return a project, not started; ``socket`` adds the engine's, ``services`` are beside the box."""
        files = [self.subject.directory / self.subject.compose.socket] if socket else []
        made = Project(self, files, services or {}, env or {})
        self.made.append(made)
        return made

    def close(self) -> None:
        """Remove what was made, volumes too."""
        for each in self.made:
            if each.started:
                each.down("--volumes")


def socket_of(engine: EngineInfo) -> str:
    """Return the path of the engine's socket; raises EnvironmentFault if it has none on this machine."""
    scheme, _, path = engine.host.partition("://")
    if scheme != "unix":
        raise EnvironmentFault(f"the engine at {engine.host} has no socket to mount")
    return path
