"""Probes answer while the agent takes all that it may."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Twins
from boxproof.kube.client import Kube
from boxproof.probes.cgroup import quantity
from boxproof.probes.pods.probe_pods import PROGRAM
from boxproof.probes.pressure import demand_speed, judged
from pytest_claims import claim, control, observe, require
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import until
from suites.shipped_box import Shipped

HOLDS = require("no probe has failed, and nothing was restarted", lambda found: found == Health(0, 0))
LEAST = 0.3  # processors: less is no load
LOAD_SECONDS = 30  # some periods of each probe, which is asked every second here
BURN = """
import os, sys, time
end = time.monotonic() + float(sys.argv[1])
for _ in range(int(sys.argv[2]) - 1):
    if os.fork() == 0:
        break
while time.monotonic() < end:
    sum(range(10000))
"""
CPU = "/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpuacct/cpuacct.usage"


@dataclass(frozen=True)
class Health:
    """How often a probe of a pod's has failed since it was Ready, and how often a container was restarted."""

    failed: int
    restarts: int


def health(kube: Kube, namespace: str, pod: str, before: int = 0) -> Health:
    """Return how a pod's probes fared; an observation."""
    live = kube.get("Pod", pod, namespace)
    restarts = sum(int(each["restartCount"]) for each in live["status"].get("containerStatuses") or ())
    return observe("health", f"{namespace}/{pod}", Health(failures(kube, namespace, pod) - before, restarts))


def failures(kube: Kube, namespace: str, pod: str) -> int:
    """Return how many failed probes the events of a pod tell of."""
    about = [each for each in kube.list("Event", namespace) if each["involvedObject"].get("name") == pod]
    return sum(int(each.get("count") or 1) for each in about if each.get("reason") == "Unhealthy")


def often(objects: list[dict[str, Any]]) -> None:
    """Ask each probe of the agent every second, with the time that the manifests give it."""
    workload = next(each for each in objects if each["kind"] == "StatefulSet")
    agent = workload["spec"]["template"]["spec"]["containers"][0]
    for name in ("livenessProbe", "readinessProbe"):
        agent.get(name, {}).update(periodSeconds=1)


def used(box: Box) -> float:
    """Return the seconds of processors that the agent's container has used."""
    read = box.exec(["sh", "-c", f"cat {CPU[0]} 2>/dev/null || cat {CPU[1]}"]).stdout.split()
    return int(read[1]) / 1e6 if read[0] == "usage_usec" else int(read[0]) / 1e9


@claim("probes-hold-under-load")
def test_the_probes_of_the_box_as_shipped_answer_under_full_load(
    shipped: Shipped, twin: Twins, kube: Kube
) -> None:
    with control("a pod whose probe needs longer than its second is seen to fail"):
        slow = {
            "exec": {"command": ["sleep", "5"]},
            "periodSeconds": 1,
            "timeoutSeconds": 1,
            "failureThreshold": 60,
        }
        one = {
            "name": "probe",
            "image": twin.session.probe_image,
            "command": [PROGRAM, "idle"],
            "livenessProbe": slow,
        }
        late = twin(fresh=True, spec={"containers": [one]})
        until(lambda: failures(kube, late.namespace, late.name), timeout=60, what="the probe fails")
        HOLDS.fails(health(kube, late.namespace, late.name))
    found = judged(lambda: loaded(shipped(edit=often), kube))
    HOLDS(observe("health", "under load", found))


def loaded(box: Box, kube: Kube) -> Health:
    """Return how the probes of a box fare under a load; raises EnvironmentFault if there is hardly any.

    Raises Unjudged where the machine may be why a probe was late.
    """
    limit = math.ceil(quantity(box.spec["containers"][0]["resources"]["limits"].get("cpu", 1)))
    before, began = failures(kube, box.namespace, box.pod), used(box)
    words = ["python3", "-c", BURN, str(LOAD_SECONDS), str(limit)]
    ended = box.exec(words, timeout=LOAD_SECONDS + 90)
    found = health(kube, box.namespace, box.pod, before)
    if ended.ok:  # else a restart may have cut it short, and has set the count to nothing
        share = observe("processors used", box.label, (used(box) - began) / LOAD_SECONDS)
        if share < LEAST:
            raise EnvironmentFault(f"the machine leaves the box {share:.2f} processors: that is no load")
    else:
        assert found != Health(0, 0), "the load itself was killed"
    if found != Health(0, 0):
        demand_speed(f"{found.failed} probes were late")
    return found
