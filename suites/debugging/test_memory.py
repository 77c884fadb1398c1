"""A kill for want of memory is found in the kernel's log, on the node."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Twins
from boxproof.kube.client import Object
from boxproof.kube.exec import ExecResult
from boxproof.probes.pods.probe_pods import Twin
from pytest_claims import claim, control, observe
from pytest_claims.waiting import NotYet, until

HUNGRY = """
import os, time
while not os.path.exists('/tmp/go'):
    time.sleep(0.1)
held = [b'x' * 1000000 for _ in range(500)]
"""
CGROUP = re.compile(r"oom-kill:constraint=CONSTRAINT_MEMCG.*task_memcg=(\S+?),task=(\S+?),pid=(\d+)")
KILL = 137
KILLED = re.compile(r"Killed process (\d+) \((\S+?)\)")


def hungry(twin: Twins, box: Box, session: Session) -> Twin:
    """Return a pod on the box's node that takes more memory than it may, once it is told to."""
    container = {
        "name": "probe", "image": session.probe_image, "imagePullPolicy": "Never",
        "command": ["python3", "-c", HUNGRY], "resources": {"limits": {"memory": "64Mi"}},
    }  # fmt: skip
    return twin(node=box.node, fresh=True, spec={"containers": [container]})


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
    place = f"{pod.namespace}/{pod.name}"

    def kills(label: str) -> list[str]:
        done = script("oom.sh", place)
        assert done.ok, done.stderr
        return observe("kills in the log", label, done.stdout.splitlines())

    with control("before the kill the log says nothing about this pod"):
        assert kills("before") == []
    pod.exec(["touch", "/tmp/go"])
    ended = until(
        lambda: container_of(pod.kube.get("Pod", pod.name, pod.namespace)), timeout=60, what="the kill"
    )
    assert ended["exitCode"] == KILL, ended  # the reason is not always told
    found = kills("after")
    assert len(found) == 2, found
    cgroup, killed = CGROUP.search(found[0]), KILLED.search(found[1])
    assert cgroup and killed, found
    assert ended["containerID"].rpartition("/")[2] in cgroup[1]
    assert (cgroup[3], cgroup[2]) == (killed[1], killed[2])
