"""Requests and limits: that every container has them, and that they fit an agent."""

from __future__ import annotations

from typing import Any

from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.deployment.deploy import COMPONENTS, rendered
from boxproof.fixtures.factories import Twins
from boxproof.kube.client import Kube
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.pods.probe_pods import PROGRAM
from boxproof.probes.process import cgroup
from boxproof.subject.manifests.pod_specs import missing_resources, pod_spec, workload
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe

GIB = 1 << 30
REQUEST, REQUEST_CPU = 1 * GIB, 0.5
LIMIT, LIMIT_CPU = 4 * GIB, 3
# under these values agents were killed; the same amounts in other units
KILLED = {"requests": {"cpu": "250m", "memory": str(GIB // 2)}, "limits": {"cpu": 2, "memory": "2Gi"}}
HALF = {"requests": KILLED["requests"], "limits": {"cpu": 2}}
BARE = {"containers": [{"name": "one"}]}


def missing(asked: str, objects: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the containers that lack something, and what; an observation."""
    found = missing_resources(objects)
    return observe("resources missing", asked, {where: each for where, each in found.items() if each})


@claim("limits-and-requests-present")
def test_every_container_of_the_pod_has_requests_and_limits(
    box: Box, twin: Twins, kube: Kube, session: Session
) -> None:
    first = {"name": "first", "image": session.probe_image, "resources": HALF}
    with control("a container without any, and an init container without one of them, are seen as such"):
        bare = twin(spec={"initContainers": [first]}, ready=False)
        lacks = missing("twin", [kube.get("Pod", bare.name, bare.namespace)])
        assert lacks[f"Pod/{bare.name}/first"] == ["limits.memory"]
        assert len(lacks[f"Pod/{bare.name}/probe"]) == 4
    pod = box.pod_object()
    assert missing(box.pod, [pod]) == {}
    assert pod["status"]["qosClass"] == "Burstable"


@claim("limits-and-requests-present")
def test_so_have_those_of_every_tier(session: Session, subject: Subject) -> None:
    with control("a Job whose container has none is seen as such"):
        bare = {"kind": "Job", "metadata": {"name": "bare"}, "spec": {"template": {"spec": BARE}}}
        assert list(missing("bare", [bare])) == ["Job/bare/one"]
    for name, components in subject.tiers.items():
        for each in ((*COMPONENTS, *components), components):
            objects, _ = rendered(session, components=each)
            assert missing_resources(objects), f"no container in tier {name}"
            assert missing(f"tier {name}", objects) == {}, name


def numbers(asked: str, resources: dict[str, Any]) -> tuple[float, ...]:
    """Return bytes and processors that are asked for, and the limits of both; an observation."""
    order = [(kind, name) for kind in ("requests", "limits") for name in ("memory", "cpu")]
    found = tuple(cgroup.quantity((resources.get(kind) or {}).get(name, 0)) for kind, name in order)
    return observe("requests and limits", asked, found)


@claim("memory-limit-sized-for-the-agent")
def test_the_agent_asks_for_what_it_needs(session: Session, subject: Subject) -> None:
    with control("the values under which agents were killed are less, whatever their units"):
        assert numbers("too small", KILLED) == (GIB / 2, 0.25, 2 * GIB, 2)
    pod = pod_spec(workload(rendered(session, components=())[0], subject.workload)) or {}
    agent = next(each for each in pod["containers"] if each["name"] == subject.container)
    memory, cpu, memory_limit, cpu_limit = numbers("the agent", agent["resources"])
    assert memory >= REQUEST
    assert cpu >= REQUEST_CPU
    assert memory_limit >= LIMIT
    assert cpu_limit >= LIMIT_CPU


@claim("memory-limit-sized-for-the-agent")
def test_the_cgroup_has_the_limits(box: Box, twin: Twins, kube: Kube, docker: Any, session: Session) -> None:
    with control("the cgroup of a pod with smaller ones says so"):
        idle = {"name": "probe", "image": session.probe_image, "command": [PROGRAM, "idle"]}
        small = twin(spec={"containers": [idle | {"resources": KILLED}]})
        read = Inside(docker, kube.get("Pod", small.name, small.namespace), "probe").read
        assert cgroup.limits("a twin", read) == cgroup.Limits(2 * GIB, 2)
    found = cgroup.limits("the agent", Inside(docker, box.pod_object(), box.container).read)
    assert (found.memory or 0) >= LIMIT
    assert (found.cpus or 0) >= LIMIT_CPU
