"""How a container on the local engine ends when it is told to."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from signal import Signals

from docker.errors import DockerException
from docker.models.containers import Container
from requests.exceptions import RequestException

from boxproof.probes.pressure import doubt, explained
from pytest_claims.faults import EnvironmentFault
from pytest_claims.pace import Deadline
from pytest_claims.recording.observations import record


@dataclass(frozen=True)
class Stop:
    """The end of a container: exit code, the signal it died of ("" if it exited), seconds it took.

    The seconds are the engine's: from when it had sent the signal to when the process had ended, however
    late we heard of that.
    """

    code: int
    signal: str
    seconds: float
    in_time: bool = True  # False: it took longer, or had to be killed


KILLED = 137  # exit code of a process ended by KILL
DIED_OF = {129: "HUP", 130: "INT", 131: "QUIT", 137: "KILL", 139: "SEGV", 143: "TERM"}


def stop(container: Container, *, signal: str = "TERM", timeout: float = 10, exact: bool = False) -> Stop:
    """Send ``signal`` to PID 1, give it ``timeout`` seconds, then KILL; raises EnvironmentFault.

    The seconds are more on a slow machine. With ``exact`` they are a bound that a claim states: by the
    engine's times it ended within it or it did not, and Unjudged is raised where the machine may be why it
    did not (``pressure.judged`` looks at fresh ones). The ledger compares exit code and whether it ended in
    time, not the seconds.
    """
    started, deadline = time.monotonic(), Deadline(timeout)
    try:
        container.kill(signal=f"SIG{signal}")
        by_itself, code = awaited(container, deadline)
        spared = not deadline.passed
        if not by_itself:
            container.kill()
            _, code = awaited(container, Deadline(20))
        waited = time.monotonic() - started
        measured = _measured(container, Signals[f"SIG{signal}"])
    except (DockerException, RequestException) as error:
        raise EnvironmentFault(f"cannot stop {container.name}: {error}") from error
    seconds = waited if measured is None else measured
    late = exact and seconds > timeout
    if by_itself and late and spared and seconds <= explained(timeout):
        doubt(f"it ended after {seconds:.1f} s, not {timeout:.0f}, on a machine that is slow just now")
    found = Stop(code, DIED_OF.get(code, ""), seconds, by_itself and not late)
    record("stop", f"SIG{signal} to {container.name}", found)
    return found


def _measured(container: Container, number: Signals) -> float | None:
    """Return the seconds from a signal to the end of a container by the engine's clock, None if unknown."""
    container.reload()
    state = container.attrs["State"]
    began, ended = (datetime.fromisoformat(state[each]).timestamp() for each in ("StartedAt", "FinishedAt"))
    if container.client is None:
        return None
    stream = container.client.api.events(
        since=int(began), until=int(ended) + 1, decode=True,
        filters={"container": container.id, "event": "kill"},
    )  # fmt: skip
    try:
        for each in stream:
            if each.get("Actor", {}).get("Attributes", {}).get("signal") == str(int(number)):
                return max(0.0, ended - float(each["timeNano"]) / 1e9)
    finally:
        with suppress(OSError):  # the engine may have closed it already
            stream.close()
    return None


def awaited(container: Container, deadline: Deadline) -> tuple[bool, int]:
    """Return whether the container ended before a deadline, and its exit code (-1 if not)."""
    in_time, code = ended(container, deadline.slice)
    while not in_time and not deadline.passed:
        in_time, code = ended(container, deadline.slice)
    return in_time, code


def ended(container: Container, timeout: float) -> tuple[bool, int]:
    """Return whether the container ended within ``timeout`` seconds, and its exit code (-1 if not)."""
    try:
        return True, int(container.wait(timeout=max(timeout, 0.1))["StatusCode"])
    except RequestException:  # the SDK has no other way to say that the time is over
        container.reload()
        if container.status == "exited":
            return True, int(container.attrs["State"]["ExitCode"])
        return False, -1
