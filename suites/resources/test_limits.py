"""Requests and limits: that every container has them, and that they fit an agent."""

from __future__ import annotations

import json
from typing import Any

import yaml

from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.deployment.deploy import COMPONENTS, rendered
from boxproof.fixtures.factories import Twins
from boxproof.fixtures.helm_release import Charts
from boxproof.kube.client import Kube
from boxproof.probes import cgroup
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.pods.probe_pods import PROGRAM
from boxproof.subject.manifests.pod_specs import missing_resources, pod_spec, workload
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope

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


NONE_MISSING = require("no container lacks a request or a limit", lambda lacking: lacking == {})
SET = require("the chart gives what its values say: {}", lambda found, wanted: said(found, wanted) == wanted)
ENOUGH = require(
    "it asks for 1Gi and 500m or more, and is limited at 4Gi or more and 3 CPUs",
    lambda found: (
        found[0] >= REQUEST and found[1] >= REQUEST_CPU and found[2] >= LIMIT and found[3] == LIMIT_CPU
    ),
)
HELD = require(
    "the kernel holds it to 4Gi or more and 3 CPUs",
    lambda found: (found.memory or 0) >= LIMIT and found.cpus == LIMIT_CPU,
)
OTHER = {"requests": {"cpu": "750m", "memory": "1500Mi"}, "limits": {"cpu": "2500m", "memory": "5Gi"}}


@claim("limits-and-requests-present")
def test_every_container_of_the_pod_has_requests_and_limits(
    box: Box, twin: Twins, kube: Kube, session: Session
) -> None:
    first = {"name": "first", "image": session.probe_image, "resources": HALF}
    with control("a container without any, and an init container without one of them, are seen as such"):
        bare = twin(spec={"initContainers": [first]}, ready=False)
        lacks = NONE_MISSING.fails(missing("twin", [kube.get("Pod", bare.name, bare.namespace)]))
        assert lacks[f"Pod/{bare.name}/first"] == ["limits.memory"]
        assert len(lacks[f"Pod/{bare.name}/probe"]) == 4
    # every pod of the box's, not the agent's alone
    pods = [each for each in kube.list("Pod", box.namespace) if each["metadata"].get("ownerReferences")]
    assert box.pod in {each["metadata"]["name"] for each in pods}
    NONE_MISSING(missing(box.namespace, [{"kind": "Pod"} | each for each in pods]))


@claim("limits-and-requests-present")
@needs("default-tier")
def test_so_have_those_of_every_tier(session: Session, subject: Subject) -> None:
    with control("a Job whose container has none is seen as such"):
        bare = {"kind": "Job", "metadata": {"name": "bare"}, "spec": {"template": {"spec": BARE}}}
        NONE_MISSING.fails(missing("bare", [bare]))
    for name, components in (subject.tiers or {"default": ()}).items():
        for each in ((*COMPONENTS, *components), components):
            objects, _ = rendered(session, components=each)
            assert missing_resources(objects), f"no container in tier {name}"
            NONE_MISSING(missing(f"tier {name}", objects))


@claim("limits-and-requests-present")
@needs("node-scripts")
def test_so_have_the_pods_of_the_runbooks(subject: Subject) -> None:
    """Those that users apply beside the box: the pod of a backup, the debug pod."""
    with control("a pod whose container has none is seen as such"):
        bare = {"kind": "Pod", "metadata": {"name": "bare"}, "spec": BARE}
        NONE_MISSING.fails(missing("bare", [bare]))
    paths = [subject.path(each) for each in (subject.storage.pod, subject.manifests.node_tools) if each]
    for path in paths:
        objects = [each for each in yaml.safe_load_all(path.read_text()) if each] if path else []
        assert missing_resources(objects), f"no container in {path}"
        NONE_MISSING(missing(str(path and path.name), objects))


def said(found: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return those of the resources found that ``wanted`` names: a chart's values are merged with its own."""
    return {kind: {name: (found.get(kind) or {}).get(name) for name in wanted[kind]} for kind in wanted}


@claim("limits-and-requests-present")
@scope("image")
@needs("box")
def test_chart_values_set_them(charts: Charts, subject: Subject) -> None:
    def of_agent(*words: str) -> dict[str, Any]:
        pod = pod_spec(workload(charts.rendered(*words), subject.workload)) or {}
        agent = next(each for each in pod["containers"] if each["name"] == subject.container)
        return observe("resources", " ".join(words) or "default", dict(agent["resources"]))

    with control("by default they are others"):
        SET.fails(of_agent(), OTHER)
    SET(of_agent(f"--set-json=resources={json.dumps(OTHER)}"), OTHER)


def numbers(asked: str, resources: dict[str, Any]) -> tuple[float, ...]:
    """Return bytes and processors that are asked for, and the limits of both; an observation."""
    order = [(kind, name) for kind in ("requests", "limits") for name in ("memory", "cpu")]
    found = tuple(cgroup.quantity((resources.get(kind) or {}).get(name, 0)) for kind, name in order)
    return observe("requests and limits", asked, found)


@claim("memory-limit-sized-for-the-agent")
def test_the_agent_asks_for_what_it_needs(session: Session, subject: Subject) -> None:
    with control("the values under which agents were killed are less, whatever their units"):
        assert ENOUGH.fails(numbers("too small", KILLED)) == (GIB / 2, 0.25, 2 * GIB, 2)
    for name, components in (subject.tiers or {"default": ()}).items():
        pod = pod_spec(workload(rendered(session, components=components)[0], subject.workload)) or {}
        agent = next(each for each in pod["containers"] if each["name"] == subject.container)
        ENOUGH(numbers(f"tier {name}", agent["resources"]))


def small_limits(twin: Twins, kube: Kube, docker: Any, session: Session) -> cgroup.Limits:
    """Return what the kernel holds a pod to that has the values under which agents were killed."""
    idle = {"name": "probe", "image": session.probe_image, "command": [PROGRAM, "idle"]}
    small = twin(spec={"containers": [idle | {"resources": KILLED}]})
    read = Inside(docker, kube.get("Pod", small.name, small.namespace), "probe").read
    return cgroup.limits("a twin", read)


@claim("memory-limit-sized-for-the-agent")
def test_the_cgroup_has_the_limits(box: Box, twin: Twins, kube: Kube, docker: Any, session: Session) -> None:
    with control("the cgroup of a pod with smaller ones says so"):
        assert HELD.fails(small_limits(twin, kube, docker, session)) == cgroup.Limits(2 * GIB, 2)
    HELD(cgroup.limits("the agent", Inside(docker, box.pod_object(), box.container).read))
