"""How an init container got on, and what of it is to be seen from its node while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from docker.errors import DockerException

from boxproof.host.engine.docker_cli import said
from boxproof.kube.client import Invalid, Kube, NotFound, Object
from boxproof.probes.pods import helper_pods
from boxproof.subject.image.bad_images import archive
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import observations
from pytest_claims.waiting import NotYet, until

# the files that the processes of the container $1 have open
OPEN = """
for each in $(grep -lF "$1" /proc/[0-9]*/cgroup 2>/dev/null); do readlink "${each%/cgroup}"/fd/*; done; true
"""
SETTLES = 240.0  # seconds until an init container has ended, or is seen to wait for an answer


@dataclass(frozen=True)
class Outcome:
    """What became of an init container: "done", "failed", or "asks" for an answer that nobody gives.

    ``said`` is its log; ``agent_started`` whether any container of the pod proper has run.
    """

    state: str
    said: str
    agent_started: bool


def outcome(docker: Any, kube: Kube, namespace: str, pod: str, container: str) -> Outcome:
    """Return how an init container got on once that is settled; an observation.

    ``docker`` is a docker client. Raises EnvironmentFault if it is not settled in time.
    """

    def look() -> Outcome:
        live = kube.get("Pod", pod, namespace)
        state = state_of(live, container)
        said = _log(kube, namespace, pod, container, again=state == "failed")
        if state == "running" and _asks(docker, live, container):
            state = "asks"
        if state in ("waiting", "running"):
            raise NotYet(f"{container} is {state}")
        return Outcome(state, said, started(live))

    found = until(
        look, timeout=SETTLES, what=f"outcome of {container} in {namespace}/{pod}", transient=(NotFound,)
    )
    decides = {"state": found.state, "agent_started": found.agent_started}
    observations.record("outcome", f"{namespace}/{pod}", found, decides=decides)
    return found


def _asks(docker: Any, live: Object, container: str) -> bool:
    """Return whether a process of a container has opened its terminal: what is asked there has no line's end,
    so that the log does not have it.
    """
    identity = _status(live, container)["containerID"].rpartition("/")[2]
    node = docker.containers.get(live["spec"]["nodeName"])
    code, output = said(node, ["sh", "-c", OPEN, "open", identity], again=True)
    if code:
        raise EnvironmentFault(f"the processes of {container} cannot be looked at: {output[-200:]!r}")
    return b"/dev/tty" in output.split()


def state_of(live: Object, container: str) -> str:
    """Return where an init container of a live pod is: waiting, running, done or failed."""
    status = _status(live, container)
    now, last = status.get("state", {}), status.get("lastState", {})
    ended = now.get("terminated") or last.get("terminated")
    if ended:
        return "failed" if ended["exitCode"] else "done"
    return "running" if "running" in now else "waiting"


def restarts(live: Object, container: str) -> int:
    """Return how often an init container of a live pod was started again."""
    return int(_status(live, container).get("restartCount", 0))


def _status(live: Object, container: str) -> Object:
    every = live.get("status", {}).get("initContainerStatuses") or []
    found: Object = next((each for each in every if each["name"] == container), {})
    return found


def started(live: Object) -> bool:
    """Return whether a container of the pod proper runs or ever ran."""
    mains = live.get("status", {}).get("containerStatuses") or []
    return any(
        each.get("started") or "waiting" not in each.get("state", {"waiting": {}}) or each.get("lastState")
        for each in mains
    )


def _log(kube: Kube, namespace: str, pod: str, container: str, *, again: bool) -> str:
    for previous in (False, True) if again else (False,):
        try:
            said = kube.logs(namespace, pod, container, previous=previous)
        except (Invalid, NotFound):
            continue
        if said.strip():
            return said
    return ""


def seen_in_processes(docker: Any, node: str, *words: str) -> list[str]:
    """Return where one of ``words`` is in processes of a node, "cmdline" or "environ"; an observation.

    ``docker`` is a docker client. Raises EnvironmentFault if the node does not answer.
    """
    pattern = helper_pods.unique("/boxproof-sought")  # in a file: grep's own arguments are looked through too
    host = docker.containers.get(node)
    try:
        host.put_archive("/", archive({pattern: ("\n".join(words).encode(), 0o600)}))
        search = f"grep -saFlf {pattern} /proc/[0-9]*/cmdline /proc/[0-9]*/environ; rm {pattern}"
        code, output = said(host, ["sh", "-c", search])
    except DockerException as error:
        raise EnvironmentFault(f"the processes of {node} cannot be read: {error}") from error
    if code:
        raise EnvironmentFault(f"the processes of {node} cannot be read: {output[-200:]!r}")
    found = sorted({each.rpartition("/")[2] for each in output.decode().split()})
    observations.record("seen in processes", node, found)
    return found
