"""The box on the engine by the command its documents give, and what that leaves on the engine's disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from boxproof.cluster.docker import docker
from boxproof.errors import EnvironmentFault, SubjectFault
from boxproof.host import ownership
from boxproof.probes import ledger
from boxproof.probes.helpers import unique
from boxproof.session import EngineInfo, Session
from boxproof.subject.model import Subject

SIZE = "import glob, os; print(sum(os.path.getsize(each) for each in glob.glob('/logs/*.log*')))"


class Documented:
    """Starts containers by the subject's ``run`` command; raises SubjectFault if it is no ``docker run``."""

    def __init__(self, session: Session, engine: EngineInfo, subject: Subject) -> None:
        self.session = session
        self.engine = engine
        self.command = subject.commands.run
        self.made: list[str] = []

    def __call__(
        self,
        *words: str,
        env: Mapping[str, str] | None = None,
        entrypoint: str = "",
        restart: bool = False,
        bare: Sequence[str] | None = None,
    ) -> str:
        """Return the name of a container that runs ``words``.

        ``bare`` are options in the place of those that are documented.
        """
        if self.command[:2] != ("docker", "run"):
            raise SubjectFault('the command in its documents does not begin with "docker run"')
        if self.session.image is None:
            raise EnvironmentFault("this run has no image of the box")
        name = unique("boxproof-documented")
        own = ["--detach", "--name", name, "--label", f"boxproof.dev/run={self.session.run}"]
        own += [word for key, value in (env or {}).items() for word in ("--env", f"{key}={value}")]
        own += ["--entrypoint", entrypoint] if entrypoint else []
        own += ["--restart", "always"] if restart else []
        options = list(self.command[2:] if bare is None else bare)
        self.made.append(name)
        docker(self.engine, "run", *options, *own, self.session.image.reference, *words)
        return name

    def close(self) -> None:
        """Remove what was made."""
        if self.made:
            docker(self.engine, "rm", "--force", "--volumes", *self.made, check=False)


def bytes_of_logs(engine: Any, name: str, probe_image: str) -> int:
    """Return how much the logs of a container take on the engine's disk; ``engine`` is a docker client."""
    path = str(engine.containers.get(name).attrs["LogPath"])
    if not path:
        raise EnvironmentFault(f"the engine does not say where the log of {name} is")
    volume = {path.rpartition("/")[0]: {"bind": "/logs", "mode": "ro"}}
    output = engine.containers.run(
        probe_image, ["-c", SIZE], entrypoint=["python3"], user="0:0", remove=True, network_mode="none",
        volumes=volume, labels=ownership.labels_here(),
    )  # fmt: skip
    found = int(output)
    ledger.record("bytes of logs", name, found)
    return found
