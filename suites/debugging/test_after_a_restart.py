"""The helpers after a restart: the container that has ended is in the runtime's list still, by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from boxproof.agent.agent_tools import Exec
from boxproof.core.process import Result as ExecResult
from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Twins
from boxproof.kube.exec import exec_in
from boxproof.probes.pods.probe_pods import CONTAINER, PROGRAM, Twin
from pytest_claims import claim, control, observe, require
from pytest_claims.pace import stretched
from pytest_claims.waiting import NotYet, until
from suites.debugging.test_entering import MEANT, MOUNTS, read
from suites.debugging.test_names import running

WORKER = "worker"
# ends once it is told to, and not again; its system calls are those of a shell that waits
ENDS_ONCE = "trap 'exit 0' TERM; while [ ! -e /said/end ]; do sleep 0.2 & wait $!; done; rm /said/end"
SECONDS = 5  # of tracing
CALLS = ("wait4", "clone", "rt_sig")  # of a shell that waits
REMOVED = require("the container that ran is there no more", lambda found: found["now"] != found["before"])
COUNTS = require("it counts the system calls of the container that runs", lambda counted: counted)


def restarted(twin: Twins, box: Box, session: Session) -> Twin:
    """Return a pod beside the box on its node whose second container has ended once and runs again."""
    common: dict[str, Any] = {"image": session.probe_image, "imagePullPolicy": "Never"}
    common["volumeMounts"] = [{"name": "said", "mountPath": "/said"}]
    containers = [
        {"name": CONTAINER, "command": [PROGRAM, "idle"], **common},
        {"name": WORKER, "command": ["sh", "-c", ENDS_ONCE], **common},
    ]
    spec = {"containers": containers, "volumes": [{"name": "said", "emptyDir": {}}]}
    made = twin(node=box.node, fresh=True, spec={**spec, "restartPolicy": "Always"})
    assert made.exec(["touch", "/said/end"]).ok
    until(lambda: runs_again(made), timeout=90, what=f"{WORKER} in {made.name} runs again")
    return made


def runs_again(pod: Twin) -> bool:
    """Return whether the worker runs that has been restarted; raises NotYet before."""
    listed = pod.kube.get("Pod", pod.name, pod.namespace)["status"].get("containerStatuses") or []
    found: dict[str, Any] = next((each for each in listed if each["name"] == WORKER), {})
    if not found.get("restartCount") or "running" not in found["state"]:
        raise NotYet(str(found))
    return True


@claim("dbg-nsenter-right-target")
def test_the_script_enters_the_container_that_runs_after_a_restart(
    twin: Twins, box: Box, session: Session, script: Callable[..., ExecResult]
) -> None:
    pod = restarted(twin, box, session)

    def both(label: str, found: str, wanted: str) -> tuple[str, str]:
        return observe("namespace, and that of the container meant", label, (found, wanted))

    def in_worker(argv: list[str]) -> ExecResult:
        return exec_in(pod.kube, pod.namespace, pod.name, WORKER, argv, timeout=60)

    def entered(argv: list[str]) -> ExecResult:
        return script("enter.sh", f"{pod.namespace}/{pod.name}", WORKER, *argv)

    own = read("the worker's own", in_worker, MOUNTS)
    with control("the pod's other container is not the one that was meant"):
        MEANT.fails(both(CONTAINER, read("the other's", pod.exec, MOUNTS), own))
    MEANT(both(f"{WORKER}, restarted", read("entered", entered, MOUNTS), own))


@claim("dbg-crictl-stop-before-rm")
def test_the_script_removes_the_container_that_runs_after_a_restart(
    twin: Twins, box: Box, session: Session, node: Callable[[], Exec], script: Callable[..., ExecResult]
) -> None:
    pod = restarted(twin, box, session)
    before = running(node(), pod, WORKER)

    def now(asked: str) -> dict[str, str]:
        return observe("container that runs", asked, {"before": before, "now": running(node(), pod, WORKER)})

    assert before, "the worker does not run"
    with control("until it is removed it is there"):
        REMOVED.fails(now("before"))
    done = script("remove.sh", f"{pod.namespace}/{pod.name}", WORKER, "30")
    REMOVED(now("remove.sh"))
    assert done.ok, done.stderr


@claim("dbg-tracing-low-overhead")
def test_the_runbook_traces_the_container_that_runs_after_a_restart(
    twin: Twins, box: Box, session: Session, script: Callable[..., ExecResult]
) -> None:
    pod = restarted(twin, box, session)

    def counted(container: str) -> bool:
        words = (f"{pod.namespace}/{pod.name}", container, f"{stretched(SECONDS):.0f}")
        done = script("trace.sh", *words, timeout=stretched(SECONDS) + 120)
        return observe(
            "calls counted", f"trace.sh {container}", done.ok and any(map(done.stdout.count, CALLS))
        )

    with control("of a container that the pod has not nothing is counted"):
        COUNTS.fails(counted("no-such-container"))
    COUNTS(counted(WORKER))
