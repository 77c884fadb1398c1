"""How a container on the local engine ends when it is told to."""

from __future__ import annotations

import time
from dataclasses import dataclass

from docker.errors import APIError, DockerException
from docker.models.containers import Container
from requests.exceptions import RequestException

from boxproof.errors import EnvironmentFault
from boxproof.probes.ledger import record


@dataclass(frozen=True)
class Stop:
    """The end of a container: exit code, the signal it died of ("" if it exited), seconds it took."""

    code: int
    signal: str
    seconds: float
    in_time: bool = True  # False: it had to be killed


KILLED = 137  # exit code of a process ended by KILL
DIED_OF = {129: "HUP", 130: "INT", 131: "QUIT", 137: "KILL", 139: "SEGV", 143: "TERM"}


def stop(container: Container, *, signal: str = "TERM", timeout: float = 10) -> Stop:
    """Send ``signal`` to PID 1, wait ``timeout`` seconds, then KILL; raises EnvironmentFault.

    The ledger compares exit code and whether it ended in time, not the seconds.
    """
    started = time.monotonic()
    try:
        container.kill(signal=f"SIG{signal}")
        in_time, code = ended(container, timeout)
        if not in_time:
            container.kill()
            _, code = ended(container, 20)
    except (DockerException, APIError) as error:
        raise EnvironmentFault(f"cannot stop {container.name}: {error}") from error
    found = Stop(code, DIED_OF.get(code, ""), time.monotonic() - started, in_time)
    record("stop", f"SIG{signal} to {container.name}", found)
    return found


def ended(container: Container, timeout: float) -> tuple[bool, int]:
    """Return whether the container ended within ``timeout`` seconds, and its exit code (-1 if not)."""
    try:
        return True, int(container.wait(timeout=timeout)["StatusCode"])
    except RequestException:  # the SDK has no other way to say that the time is over
        container.reload()
        if container.status == "exited":
            return True, int(container.attrs["State"]["ExitCode"])
        return False, -1
