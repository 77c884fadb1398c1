"""How a container on the local engine ends when it is told to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from docker.errors import APIError, DockerException
from docker.models.containers import Container
from requests.exceptions import RequestException

from boxproof.errors import EnvironmentFault
from boxproof.pace import Deadline
from boxproof.probes.ledger import record
from boxproof.probes.pressure import Unjudged


@dataclass(frozen=True)
class Stop:
    """The end of a container: exit code, the signal it died of ("" if it exited), seconds it took."""

    code: int
    signal: str
    seconds: float
    in_time: bool = True  # False: it had to be killed


KILLED = 137  # exit code of a process ended by KILL
DIED_OF = {129: "HUP", 130: "INT", 131: "QUIT", 137: "KILL", 139: "SEGV", 143: "TERM"}


def stop(container: Container, *, signal: str = "TERM", timeout: float = 10, exact: bool = False) -> Stop:
    """Send ``signal`` to PID 1, give it ``timeout`` seconds, then KILL; raises EnvironmentFault.

    The seconds are stretched on a slow machine. With ``exact`` they are a bound that a claim states: by the
    engine's own times the container ended within it or it did not, and Unjudged is raised where the machine
    may be why it did not. The ledger compares exit code and whether it ended in time, not the seconds.
    """
    wall, began, deadline = time.time(), time.monotonic(), Deadline(timeout)
    try:
        container.kill(signal=f"SIG{signal}")
        by_itself, code = _ended_by(container, deadline)
        spared, seconds = not deadline.passed, time.monotonic() - began
        if by_itself:
            seconds = _took(container, wall, seconds)
        else:
            container.kill()
            _, code = ends(container, 60)
    except (DockerException, APIError) as error:
        raise EnvironmentFault(f"cannot stop {container.name}: {error}") from error
    late = not by_itself or (exact and seconds > timeout)
    if late and by_itself and spared:
        raise Unjudged(
            f"it ended after {seconds:.1f} s, not {timeout:.0f}, on a machine that is slow just now"
        )
    found = Stop(code, DIED_OF.get(code, ""), seconds, not late)
    record("stop", f"SIG{signal} to {container.name}", found)
    return found


def _took(container: Container, since: float, at_most: float) -> float:
    """Return the seconds from ``since`` (of 1970) to the end that the engine noted.

    Where that has another clock they are ours, ``at_most``: until we had heard of it.
    """
    container.reload()
    noted = datetime.fromisoformat(container.attrs["State"]["FinishedAt"]).timestamp() - since
    return noted if 0 <= noted <= at_most else at_most


def ends(container: Container, timeout: float) -> tuple[bool, int]:
    """Return as ``ended``; ``timeout`` is stretched on a slow machine."""
    return _ended_by(container, Deadline(timeout))


def _ended_by(container: Container, deadline: Deadline) -> tuple[bool, int]:
    by_itself, code = ended(container, deadline.slice)
    while not by_itself and not deadline.passed:
        by_itself, code = ended(container, max(0.1, deadline.slice))
    return by_itself, code


def ended(container: Container, timeout: float) -> tuple[bool, int]:
    """Return whether the container ended within ``timeout`` seconds, and its exit code (-1 if not)."""
    try:
        return True, int(container.wait(timeout=timeout)["StatusCode"])
    except RequestException:  # the SDK has no other way to say that the time is over
        container.reload()
        if container.status == "exited":
            return True, int(container.attrs["State"]["ExitCode"])
        return False, -1
