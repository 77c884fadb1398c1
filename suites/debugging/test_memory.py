"""A kill for want of memory is found in the kernel's log, on the node."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from boxproof.core.process import Result as ExecResult
from boxproof.core.session import RUN_LABEL, Session
from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Twins
from boxproof.kube.client import Kube, Object
from boxproof.kube.exec import exec_in
from boxproof.probes.pods import probe_pods
from boxproof.probes.pods.probe_pods import CONFINED, CONTAINER, Twin
from pytest_claims import claim, control, observe, require
from pytest_claims.waiting import NotYet, until

HUNGRY = """
import os, time
while not os.path.exists('/tmp/go'):
    time.sleep(0.1)
held = [b'x' * 1000000 for _ in range(500)]
"""
CGROUP = re.compile(r"oom-kill:constraint=CONSTRAINT_MEMCG.*task_memcg=(\S+?),task=(\S+?),pid=(\d+)")
KILL = 137
SECOND, NOBODYS = "beside", "0" * 64
NAMES_BOTH = require(
    "it shows the cgroup of the container, and the process that was killed in it",
    lambda found: found == Evidence(2, True, True),
)
KILLED = re.compile(r"Killed process (\d+) \((\S+?)\)")


@dataclass(frozen=True)
class Evidence:
    """How many lines were found, whether they name the container's cgroup, and one and the same process."""

    lines: int
    cgroup: bool
    process: bool


def evidence_of(label: str, found: list[str], container: str) -> Evidence:
    """Return what the lines of a kernel's log tell of a container; an observation."""
    matches = (CGROUP.search("\n".join(found)), KILLED.search("\n".join(found)))
    group, killed = matches
    named = bool(group and container and container in group[1])
    same = bool(group and killed and (group[3], group[2]) == (killed[1], killed[2]))
    return observe("evidence of a kill", label, Evidence(len(found), named, same))


def hungry(twin: Twins, box: Box, session: Session) -> Twin:
    """Return a pod on the box's node that takes more memory than it may, once it is told to."""
    return twin(node=box.node, fresh=True, spec={"containers": [hungry_container(session)]})


def hungry_container(session: Session) -> dict[str, Any]:
    """Return such a container."""
    return {
        "name": CONTAINER, "image": session.probe_image, "imagePullPolicy": "Never",
        "command": ["python3", "-c", HUNGRY], "resources": {"limits": {"memory": "64Mi"}},
    }  # fmt: skip


def container_of(pod: Object) -> dict[str, Any]:
    """Return the state of a pod's only container; raises NotYet until it has ended."""
    (status,) = pod["status"]["containerStatuses"]
    ended = status["state"].get("terminated")
    if not ended:
        raise NotYet(str(status["state"]))
    return dict(ended)


@claim("dbg-oom-evidence-from-node")
def test_the_script_finds_the_cgroup_and_the_process(
    twin: Twins, box: Box, session: Session, script: Callable[..., ExecResult]
) -> None:
    pod = hungry(twin, box, session)

    def kills(whose: Twin) -> list[str]:
        done = script("oom.sh", f"{whose.namespace}/{whose.name}")
        assert done.ok, done.stderr
        return done.stdout.splitlines()

    with control("before the kill the log says nothing about this pod, after another's neither"):
        NAMES_BOTH.fails(evidence_of("before", kills(pod), ""))
        other = hungry(twin, box, session)
        earlier = killed(other)
        assert NAMES_BOTH.fails(evidence_of("after another's", kills(pod), "")).lines == 0
    ended = killed(pod)
    assert ended["exitCode"] == KILL, ended  # the reason is not always told
    NAMES_BOTH(evidence_of("after", kills(pod), ended["containerID"].rpartition("/")[2]))
    # the kernel writes dozens of lines of each kill: that of before is not among the last ones
    NAMES_BOTH(
        evidence_of("of another, before this", kills(other), earlier["containerID"].rpartition("/")[2])
    )


def killed(pod: Twin) -> dict[str, Any]:
    """Have a pod take more than it may, and return how its container ended."""
    pod.exec(["touch", "/tmp/go"])
    return until(
        lambda: container_of(pod.kube.get("Pod", pod.name, pod.namespace)), timeout=60, what="the kill"
    )


NO_LINE = require("it shows no line about a kill", lambda lines: lines == 0)


@claim("dbg-oom-evidence-from-node")
def test_the_script_shows_nothing_of_another_pod_of_that_name(
    twin: Twins, box: Box, session: Session, kube: Kube, script: Callable[..., ExecResult]
) -> None:
    """A name is one of its namespace's: the agents of a fleet have the same."""

    def lines(label: str, pod: Twin) -> int:
        done = script("oom.sh", f"{pod.namespace}/{pod.name}")
        assert done.ok, done.stderr
        return observe("lines about a kill", label, len(done.stdout.splitlines()))

    pod = hungry(twin, box, session)
    container = {**hungry_container(session), "securityContext": dict(CONFINED)}
    spec, labels = {"containers": [container]}, {RUN_LABEL: session.run}
    manifest = probe_pods.manifest(
        pod.name, box.namespace, session.probe_image, labels=labels, node=box.node, spec=spec
    )
    namesake = probe_pods.start(kube, manifest)
    try:
        killed(namesake)
        with control("it shows the kill in the other namespace to who asks for that one"):
            NO_LINE.fails(lines("the one that was killed", namesake))
        NO_LINE(lines("the other one", pod))
    finally:
        namesake.remove()


@claim("dbg-oom-evidence-from-node")
def test_the_script_finds_the_kill_of_each_container_of_a_pod(
    twin: Twins, box: Box, session: Session, script: Callable[..., ExecResult]
) -> None:
    """The first one or the last one of several is of no use to whoever looks for another."""
    containers = [{**hungry_container(session), "name": each} for each in (CONTAINER, SECOND)]
    pod = twin(node=box.node, fresh=True, spec={"containers": containers})

    def kill_of(container: str) -> list[str]:
        """Return the line with the container's cgroup, and the one after it."""
        done = script("oom.sh", f"{pod.namespace}/{pod.name}")
        assert done.ok, done.stderr
        lines = done.stdout.splitlines()
        at = [number for number, each in enumerate(lines) if container in each]
        return lines[at[0] : at[0] + 2] if at else []

    ids = {}
    for each in (CONTAINER, SECOND):
        assert exec_in(pod.kube, pod.namespace, pod.name, each, ["touch", "/tmp/go"], timeout=60).ok
        ended = until(lambda: ended_of(pod, each), timeout=60, what=f"the kill of {each}")  # noqa: B023
        assert ended["exitCode"] == KILL, ended
        ids[each] = ended["containerID"].rpartition("/")[2]
    with control("of a container that was not killed it shows nothing"):
        NAMES_BOTH.fails(evidence_of("of none", kill_of(NOBODYS), NOBODYS))
    for each, container in ids.items():
        NAMES_BOTH(evidence_of(f"of {each}", kill_of(container), container))


def ended_of(pod: Twin, container: str) -> dict[str, Any]:
    """Return how a container of a pod ended; raises NotYet until it has."""
    listed = pod.kube.get("Pod", pod.name, pod.namespace)["status"]["containerStatuses"]
    status = next(each for each in listed if each["name"] == container)
    ended = status["state"].get("terminated")
    if not ended:
        raise NotYet(str(status["state"]))
    return dict(ended)
