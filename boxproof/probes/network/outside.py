"""The probe outside the cluster: a container on the cluster's network."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any

from docker.errors import DockerException
from docker.models.containers import Container

from boxproof.core.labels import RUN_LABEL
from boxproof.core.process import Result
from boxproof.probes.pods.probe_pods import PROGRAM
from pytest_claims import pace
from pytest_claims.faults import EnvironmentFault

NETWORK = "kind"
KILLED = 137  # what timeout(1) ends with once it has sent KILL


class Outside:
    """A container of the probe image, started when it is first asked; ``docker`` is a docker client."""

    label = "outside the cluster"

    def __init__(self, docker: Any, image: str, run: str, network: str = NETWORK) -> None:
        self.docker = docker
        self.image = image
        self.run = run
        self.network = network
        self._made: Container | None = None

    @property
    def made(self) -> Container:
        """The running container; raises EnvironmentFault if it cannot be started."""
        if self._made is None:
            try:
                self._made = self.docker.containers.run(
                    self.image, ["idle"], detach=True, network=self.network, labels={RUN_LABEL: self.run},
                    name=f"boxproof-outside-{secrets.token_hex(3)}", stop_signal="KILL",
                )  # fmt: skip
                self._made.reload()
            except DockerException as error:
                raise EnvironmentFault(f"no probe outside the cluster: {error}") from error
        return self._made

    @property
    def address(self) -> str:
        """Its address on the cluster's network."""
        return str(self.made.attrs["NetworkSettings"]["Networks"][self.network]["IPAddress"])

    def probe(self, *words: str, timeout: float = 30) -> Result:
        """Run the probe program; raises EnvironmentFault if it cannot be run or does not end in time."""
        started, limit = time.monotonic(), pace.stretched(timeout)
        argv = ["timeout", "--signal=KILL", str(limit), PROGRAM, *words]
        try:
            code, (out, err) = self.made.exec_run(argv, demux=True)
        except DockerException as error:
            raise EnvironmentFault(f"the probe outside the cluster broke: {error}") from error
        if code == KILLED:
            raise EnvironmentFault(
                f"the probe outside the cluster: no end within {limit:.0f} s: {' '.join(words)}"
            )
        texts = [(each or b"").decode(errors="replace") for each in (out, err)]
        return Result(tuple(argv), int(code), texts[0], texts[1], time.monotonic() - started)

    @property
    def six(self) -> str:
        """Its IPv6 address on the cluster's network, "" where that has none."""
        return str(
            self.made.attrs["NetworkSettings"]["Networks"][self.network].get("GlobalIPv6Address") or ""
        )

    @property
    def table(self) -> str:
        """Its IPv6 addresses, as the kernel lists them."""
        return self.root(["cat", "/proc/net/if_inet6"])

    def take(self, addresses: Sequence[str]) -> None:
        """Have it take further IPv4 addresses for its own; raises EnvironmentFault."""
        lines = [f"ip route replace local {each}/32 dev lo" for each in addresses]
        self.root(["sh", "-ec", "\n".join(lines)])

    def root(self, argv: Sequence[str]) -> str:
        """Run a command in it as root and return what it says; raises EnvironmentFault if it fails."""
        try:
            code, said = self.made.exec_run(list(argv), privileged=True, user="0:0")
        except DockerException as error:
            raise EnvironmentFault(f"the probe outside the cluster broke: {error}") from error
        if code:
            raise EnvironmentFault(
                f"the probe outside the cluster: {argv[0]} ends with {code}: {said[-300:]!r}"
            )
        return str(said.decode(errors="replace"))

    def remove(self) -> None:
        """Remove the container, if there is one."""
        if self._made is None:
            return
        try:
            self._made.remove(force=True)
        except DockerException as error:
            raise EnvironmentFault(f"cannot remove {self._made.name}: {error}") from error
        self._made = None
