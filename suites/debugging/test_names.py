"""A container is known by its whole name: another one's may begin with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from boxproof.agent.agent_tools import Exec
from boxproof.core.process import Result as ExecResult
from boxproof.core.session import Session
from boxproof.deployment.box import Box, workload_of
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Twins
from boxproof.probes.pods.probe_pods import CONFINED, PROGRAM, Twin
from pytest_claims import claim, control, observe, require
from pytest_claims.faults import EnvironmentFault
from suites.debugging.test_entering import MEANT, MOUNTS, read, two_exec

WORKER = "worker"
STAYS_AS_IT_IS = require("the other container runs on, the same as before", lambda same: same)


@claim("dbg-nsenter-right-target")
def test_the_script_is_not_misled_by_a_name_that_begins_alike(
    make_box: MakeBox, script: Callable[..., ExecResult], box: Box, session: Session
) -> None:
    def with_namesake(objects: list[dict[str, Any]]) -> None:
        spec = workload_of(objects)["spec"]["template"]["spec"]
        longer = f"{spec['containers'][0]['name']}-beside"
        beside: dict[str, Any] = {"name": longer, "image": session.probe_image, "imagePullPolicy": "Never"}
        beside |= {"command": [PROGRAM, "idle"], "securityContext": dict(CONFINED)}
        spec["containers"].append(beside)
        spec["nodeSelector"] = {"kubernetes.io/hostname": box.node}  # the scheduler has to see its volume

    two = make_box(edit=with_namesake)
    place, longer = f"{two.namespace}/{two.pod}", f"{two.container}-beside"

    def both(label: str, found: str, wanted: str) -> tuple[str, str]:
        return observe("namespace, and that of the container meant", label, (found, wanted))

    def entered(container: str) -> str:
        return read(f"entered {container}", lambda argv: script("enter.sh", place, container, *argv), MOUNTS)

    own, other = read("the agent's own", two.exec, MOUNTS), read("the other's", two_exec(two, longer), MOUNTS)
    with control("the other container is not the one that was meant"):
        MEANT.fails(both(longer, other, own))
    MEANT(both(two.container, entered(two.container), own))
    MEANT(both(longer, entered(longer), other))


def running(node: Exec, pod: Twin, container: str) -> str:
    """Return the id of a container that runs, "" where there is none; raises EnvironmentFault."""
    labels = {"pod.namespace": pod.namespace, "pod.name": pod.name, "container.name": container}
    words = [word for key, value in labels.items() for word in ("--label", f"io.kubernetes.{key}={value}")]
    done = node(["crictl", "ps", "--quiet", "--state", "Running", *words])
    if not done.ok:
        raise EnvironmentFault(done.describe())  # a runtime that says nothing is none without the container
    return done.stdout.strip()


@claim("dbg-crictl-stop-before-rm")
def test_the_script_leaves_a_container_alone_whose_name_begins_alike(
    twin: Twins, box: Box, session: Session, node: Callable[[], Exec], script: Callable[..., ExecResult]
) -> None:
    longer = f"{WORKER}-beside"
    common = {"image": session.probe_image, "imagePullPolicy": "Never", "command": [PROGRAM, "idle"]}
    containers = [{"name": name, **common} for name in ("probe", WORKER, longer)]
    pod = twin(node=box.node, fresh=True, spec={"containers": containers})
    before = {each: running(node(), pod, each) for each in (WORKER, longer)}
    assert all(before.values()), before

    def same(asked: str) -> bool:
        return observe("it runs on", asked, running(node(), pod, longer) == before[longer])

    done = script("remove.sh", f"{pod.namespace}/{pod.name}", WORKER, "30")
    STAYS_AS_IT_IS(same(f"remove.sh {WORKER}"))
    assert done.ok, done.stderr
    assert running(node(), pod, WORKER) != before[WORKER], "the script removed nothing"
    with control("who is meant does not run on"):
        assert script("remove.sh", f"{pod.namespace}/{pod.name}", longer, "30").ok
        STAYS_AS_IT_IS.fails(same(f"remove.sh {longer}"))
