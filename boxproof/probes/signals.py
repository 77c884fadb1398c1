"""How a container on the local engine ends when it is told to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from docker.errors import APIError, DockerException
from docker.models.containers import Container
from requests.exceptions import RequestException

from boxproof.errors import EnvironmentFault
from boxproof.probes.ledger import record
from boxproof.probes.pressure import Unjudged, Watch


@dataclass(frozen=True)
class Stop:
    """The end of a container: exit code, the signal it died of ("" if it exited), seconds it took."""

    code: int
    signal: str
    seconds: float
    in_time: bool = True  # False: it had to be killed


KILLED = 137  # exit code of a process ended by KILL
DIED_OF = {129: "HUP", 130: "INT", 131: "QUIT", 137: "KILL", 139: "SEGV", 143: "TERM"}
LOOK = 1.0  # seconds from one look to the next, once the time is over on the wall
TIMES, BEYOND = 20, 120.0  # how much longer it can take at most to be given its time: a factor, and seconds


def stop(container: Container, *, signal: str = "TERM", timeout: float = 10, exact: bool = False) -> Stop:
    """Send ``signal`` to PID 1, give it ``timeout`` seconds, then KILL; raises EnvironmentFault.

    Seconds in which programs of this machine had to wait are not counted against it. With ``exact`` the time
    is a bound that a claim states: by the engine's own times it ended within it or it did not, and Unjudged
    is raised where the machine may be why it did not. The ledger compares exit code and whether it ended in
    time, not the seconds.
    """
    watch, wall = Watch(), time.time()
    try:
        container.kill(signal=f"SIG{signal}")
        by_itself, code = _awaited(container, timeout, watch)
        own, waited = watch.own, watch.waited
        if not by_itself:
            container.kill()
            _, code = ended(container, 60)
        seconds = _took(container, wall, watch.elapsed) if by_itself else watch.elapsed
    except (DockerException, APIError) as error:
        raise EnvironmentFault(f"cannot stop {container.name}: {error}") from error
    late = seconds > timeout if exact else not by_itself
    if exact and late and own <= timeout:
        raise Unjudged(f"{seconds:.1f} s to end, in {waited:.1f} of them the machine kept programs waiting")
    found = Stop(code, DIED_OF.get(code, ""), seconds, not late)
    record("stop", f"SIG{signal} to {container.name}", found)
    return found


def _awaited(container: Container, timeout: float, watch: Watch) -> tuple[bool, int]:
    """Wait for an end, for so many seconds that the container had to itself; the exit code is -1 without."""
    by_itself, code = ended(container, timeout)
    at_most = min(timeout * TIMES, timeout + BEYOND)
    while not by_itself and watch.own <= timeout and watch.elapsed < at_most:
        by_itself, code = ended(container, LOOK)
    return by_itself, code


def _took(container: Container, since: float, at_most: float) -> float:
    """Return the seconds from ``since`` (of 1970) to the end that the engine noted.

    Where that has another clock they are ours, ``at_most``: until we had heard of it.
    """
    container.reload()
    noted = datetime.fromisoformat(container.attrs["State"]["FinishedAt"]).timestamp() - since
    return noted if 0 <= noted <= at_most else at_most


def ended(container: Container, timeout: float) -> tuple[bool, int]:
    """Return whether the container ended within ``timeout`` seconds, and its exit code (-1 if not)."""
    try:
        return True, int(container.wait(timeout=timeout)["StatusCode"])
    except RequestException:  # the SDK has no other way to say that the time is over
        container.reload()
        if container.status == "exited":
            return True, int(container.attrs["State"]["ExitCode"])
        return False, -1
