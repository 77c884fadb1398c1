"""What every component leaves of requests, limits and bounds, one of no tier as well."""

from __future__ import annotations

from typing import Any

from boxproof.deployment.deploy import Objects, Rendered
from boxproof.kube.client import Object
from boxproof.subject.manifests.pod_specs import (
    GROUPS,
    agent,
    agent_container,
    containers,
    missing_resources,
    pod_spec,
)
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require
from suites.resources.autoscalers import KIND, lowest
from suites.resources.test_limits import HALF, KILLED, LIMIT, LIMIT_CPU, REQUEST, REQUEST_CPU, numbers
from suites.resources.tmp_places import open_places

NONE_LACKS = require("no container of it lacks a request or a limit", lambda lacking: lacking == {})
NO_OPEN_TMP = require(
    "what it mounts at /tmp or below is memory, of a size that a container may have",
    lambda found: found == [],
)
LEFT_TO_IT = require(
    "with it the agent asks for 1Gi and 500m or more, and is limited at 4Gi or more and 3 CPUs",
    lambda found: (
        found[0] >= REQUEST and found[1] >= REQUEST_CPU and found[2] >= LIMIT and found[3] == LIMIT_CPU
    ),
)


def with_one(container: dict[str, Any], *volumes: dict[str, Any]) -> Objects:
    """Return a pod of one container."""
    spec = {"containers": [{"name": "one", **container}], "volumes": list(volumes)}
    pod: Object = {"kind": "Pod", "metadata": {"name": "doctored"}, "spec": spec}
    return [pod]


@claim("limits-and-requests-present")
@needs("box", "default-tier")
def test_no_component_takes_a_request_or_a_limit_away(every: Rendered) -> None:
    def lacking(asked: str, objects: Objects) -> dict[str, list[str]]:
        found = missing_resources(objects)
        return observe("lacking", asked, {where: each for where, each in found.items() if each})

    with control("a container without any, and one without a limit of its memory, are seen"):
        for resources in ({}, HALF):
            NONE_LACKS.fails(lacking(f"doctored {resources}", with_one({"resources": resources})))
    for name, objects in every.items():
        NONE_LACKS(lacking(name, objects))


@claim("tmp-bounded")
@needs("box", "default-tier")
def test_no_component_opens_tmp(every: Rendered) -> None:
    def found(asked: str, objects: Objects) -> list[str]:
        every_one = [
            f"{where}: {place}"
            for each in objects
            for where, one in containers([each], GROUPS[:2])
            for place in open_places(pod_spec(each) or {}, one)
        ]
        return observe("places at /tmp", asked, sorted(every_one))

    kept = {"resources": {"limits": {"memory": "1Gi"}}, "securityContext": {"readOnlyRootFilesystem": True}}
    wrong: dict[str, tuple[str, dict[str, Any]]] = {
        "a directory of the disk": ("/tmp/", {"emptyDir": {}}),
        "one below it": ("/tmp/cache", {"emptyDir": {"sizeLimit": "1Gi"}}),
        "memory without a size": ("/tmp", {"emptyDir": {"medium": "Memory"}}),
        "more memory than it may have": ("/tmp", {"emptyDir": {"medium": "Memory", "sizeLimit": "64Gi"}}),
    }
    for what, (place, volume) in wrong.items():
        mounts = {"volumeMounts": [{"name": "a", "mountPath": place}]}
        with control(f"{what} is seen"):
            NO_OPEN_TMP.fails(found(what, with_one(kept | mounts, {"name": "a", **volume})))
    for name, objects in every.items():
        NO_OPEN_TMP(found(name, objects))


@claim("memory-limit-sized-for-the-agent")
@needs("box", "default-tier")
def test_with_every_component_the_agent_has_what_it_needs(every: Rendered, subject: Subject) -> None:
    """Later as well: an autoscaler may lower what is written."""

    def least(asked: str, objects: Objects) -> tuple[float, ...]:
        container = agent_container(objects, subject)
        return numbers(asked, lowest(objects, agent(objects, subject), container))

    default = every["default"]
    named = agent(default, subject)
    target = {"kind": named["kind"], "name": named["metadata"]["name"]}
    scaler: Object = {"kind": KIND, "metadata": {"name": "doctored"}, "spec": {"targetRef": target}}
    with control("the values under which agents were killed are less, and so is what an autoscaler finds"):
        LEFT_TO_IT.fails(numbers("too small", KILLED))
        LEFT_TO_IT.fails(least("with an autoscaler", [*default, scaler]))
    for name, objects in every.items():
        LEFT_TO_IT(least(name, objects))
