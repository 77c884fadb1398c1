"""How the first process of every container is confined, by its node's word."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from boxproof.core.session import Session
from boxproof.deployment.box import Box, workload_of
from boxproof.deployment.deploy import Objects, rendered
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Twins
from boxproof.kube.client import Forbidden, Kube, Object
from boxproof.probes.pods import helper_pods, probe_pods
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.processes import Confinement, confinement
from boxproof.subject.manifests.pod_specs import pod_spec
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require
from pytest_claims.waiting import NotYet, until

FILTERED = require(
    "it runs under a seccomp filter and with no_new_privs",
    lambda found: found.seccomp == 2 and found.no_new_privileges,
)
BARE = require("it has no capability in any set", lambda found: found.capabilities == ())
NOT_ROOT = require(
    "root is none of its uids, gids and groups", lambda found: bool(found.ids) and 0 not in found.ids
)
APART = require("it shares no namespace with its node", lambda found: found.shared == ())
NOTHING_TAKEN = require("no pod takes a namespace, path or port of its node", lambda found: found == [])

WAITS, DONE = ["sleep", "3600"], ["true"]
START = 120.0  # seconds until an init container runs


def running(pods: list[Object]) -> Iterator[tuple[Object, str]]:
    """Give each pod with the name of each of its containers that runs."""
    for pod in pods:
        for each in pod["status"].get("containerStatuses") or ():
            if "running" in each.get("state", {}):
                yield pod, str(each["name"])


def of_workloads(box: Box) -> list[Object]:
    """Return the pods that the box's own workloads have made."""
    pods = box.kube.list("Pod", box.namespace)
    return [each for each in pods if each["metadata"].get("ownerReferences")]


def every_container(box: Box, docker: Any) -> list[Confinement]:
    """Return how the first process of each container that runs is confined; observations."""
    pods = of_workloads(box)
    assert box.pod in {each["metadata"]["name"] for each in pods}, "the agent's pod is not there"
    found = list(running(pods))
    assert (box.pod, box.container) in {(pod["metadata"]["name"], name) for pod, name in found}
    return [
        confinement(Inside(docker, pod, name), f"{pod['metadata']['name']}/{name}") for pod, name in found
    ]


Loose = Callable[..., Confinement]


@pytest.fixture
def loose(twin: Twins, kube: Kube, docker: Any) -> Loose:
    """``loose(security, **spec)``: how a pod of ours with these settings is confined; an observation."""

    def make(security: dict[str, Any], **spec: Any) -> Confinement:
        made = twin(security=security, spec=spec)
        pod = kube.get("Pod", made.name, made.namespace)
        return confinement(Inside(docker, pod, "probe"), f"a twin with {security or spec}")

    return make


@claim("iso-seccomp-and-no-new-privileges")
def test_every_first_process_has_a_filter_and_cannot_gain(
    default_tier: Box, docker: Any, loose: Loose
) -> None:
    with control("without a profile, and with escalation allowed, it has not"):
        FILTERED.fails(loose({"seccompProfile": {"type": "Unconfined"}}))
        FILTERED.fails(loose({"allowPrivilegeEscalation": True}))
    for each in every_container(default_tier, docker):
        FILTERED(each)


@claim("iso-no-capability-in-any-set")
def test_no_first_process_has_a_capability(default_tier: Box, docker: Any, loose: Loose) -> None:
    with control("what is not dropped stays in the bounding set"):
        BARE.fails(loose({"capabilities": {}}))
        BARE.fails(loose({"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}))
    for each in every_container(default_tier, docker):
        BARE(each)


@claim("iso-no-identity-of-root")
def test_no_first_process_is_root_or_in_its_group(default_tier: Box, docker: Any, loose: Loose) -> None:
    with control("one of root, one of its group alone, one with it beside its own"):
        NOT_ROOT.fails(loose({"runAsUser": 0, "runAsNonRoot": False}))
        NOT_ROOT.fails(loose({"runAsGroup": 0}))
        NOT_ROOT.fails(loose({}, securityContext={"supplementalGroups": [0]}))
    for each in every_container(default_tier, docker):
        NOT_ROOT(each)


@claim("iso-nothing-of-the-node")
def test_no_container_is_in_a_namespace_of_its_node(default_tier: Box, docker: Any, loose: Loose) -> None:
    with control("pods with the node's network, processes and IPC share each"):
        for field, kind in (("hostNetwork", "net"), ("hostPID", "pid"), ("hostIPC", "ipc")):
            assert kind in APART.fails(loose({}, **{field: True})).shared
    for each in every_container(default_tier, docker):
        APART(each)


@claim("iso-nothing-of-the-node")
@needs("default-tier")
def test_no_pod_of_any_tier_takes_anything_of_its_node(session: Session, subject: Subject) -> None:
    def taken(asked: str, objects: Objects) -> list[str]:
        return observe("taken of the node", asked, sorted(each for one in objects for each in of_node(one)))

    with control("each way to take something is seen"):
        for field in ("hostNetwork", "hostPID", "hostIPC"):
            NOTHING_TAKEN.fails(taken(field, [doctored({field: True})]))
        NOTHING_TAKEN.fails(
            taken("a path", [doctored({"volumes": [{"name": "a", "hostPath": {"path": "/"}}]})])
        )
        ports = [{"name": "a", "ports": [{"containerPort": 1, "hostPort": 1}]}]
        NOTHING_TAKEN.fails(taken("a port", [doctored({"containers": ports})]))
        devices = [{"name": "a", "securityContext": {"privileged": True}}]
        NOTHING_TAKEN.fails(taken("its devices", [doctored({"initContainers": devices})]))
    for name, components in (subject.tiers or {"default": ()}).items():
        objects, _ = rendered(session, components=components)
        assert any(pod_spec(each) for each in objects), f"no pod in tier {name}"
        NOTHING_TAKEN(taken(f"tier {name}", objects))


def doctored(spec: dict[str, Any]) -> Object:
    """Return a pod with that spec."""
    return {"kind": "Pod", "metadata": {"name": "doctored"}, "spec": spec}


def of_node(item: Object) -> Iterator[str]:
    """Give what the pod of an object takes of its node."""
    spec = pod_spec(item) or {}
    name = f"{item['kind']}/{item['metadata']['name']}"
    yield from (f"{name}: {each}" for each in ("hostNetwork", "hostPID", "hostIPC") if spec.get(each))
    yield from (f"{name}: {each['hostPath']}" for each in spec.get("volumes") or () if "hostPath" in each)
    for each in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        yield from (
            f"{name}: port {port['hostPort']}" for port in each.get("ports") or () if "hostPort" in port
        )
        if (each.get("securityContext") or {}).get("privileged"):
            yield f"{name}: privileged"


def held(name: str, subject: Subject | None) -> Callable[[Objects], None]:
    """Return an edit: the init container ``name`` stays, so that it can be looked at; those before it end."""

    def edit(objects: Objects) -> None:
        pod = pod_spec(workload_of(objects, subject)) or {}
        for each in pod["initContainers"]:
            each["command"] = WAITS if each["name"] == name else DONE
            each.pop("args", None)

    return edit


@claim("iso-seccomp-and-no-new-privileges")
def test_so_has_that_of_each_init_container(
    make_box: MakeBox, default_tier: Box, docker: Any, loose: Loose
) -> None:
    with control("without a profile it has not"):
        FILTERED.fails(loose({"seccompProfile": {"type": "Unconfined"}}))
    for found in init_containers(make_box, default_tier, docker):
        FILTERED(found)
    FILTERED(every_container(default_tier, docker)[0])  # where there is no init container


@claim("iso-no-capability-in-any-set")
def test_no_init_container_has_a_capability(
    make_box: MakeBox, default_tier: Box, docker: Any, loose: Loose
) -> None:
    with control("what is not dropped stays in the bounding set"):
        BARE.fails(loose({"capabilities": {}}))
    for found in init_containers(make_box, default_tier, docker):
        BARE(found)
    BARE(every_container(default_tier, docker)[0])


@claim("iso-no-identity-of-root")
def test_no_init_container_is_root_or_in_its_group(
    make_box: MakeBox, default_tier: Box, docker: Any, loose: Loose
) -> None:
    with control("one of root's group alone"):
        NOT_ROOT.fails(loose({"runAsGroup": 0}))
    for found in init_containers(make_box, default_tier, docker):
        NOT_ROOT(found)
    NOT_ROOT(every_container(default_tier, docker)[0])  # where there is no init container


def init_containers(make_box: MakeBox, box: Box, docker: Any) -> Iterator[Confinement]:
    """Give how each init container's first process is confined, with a program that waits in its place."""
    for each in box.spec.get("initContainers") or ():
        one = make_box(components=(), edit=held(each["name"], box.subject), ready=False)
        pod = until(lambda: init_runs(one, each["name"]), timeout=START, what=f"{each['name']} runs")  # noqa: B023
        yield confinement(Inside(docker, pod, each["name"]), f"{one.pod}/{each['name']}")


def init_runs(box: Box, name: str) -> Object:
    """Return the live pod once an init container of it runs; raises NotYet."""
    pod = box.kube.find("Pod", box.pod, box.namespace) or {}
    states = {
        each["name"]: each.get("state", {})
        for each in pod.get("status", {}).get("initContainerStatuses") or ()
    }
    if "running" not in states.get(name, {}):
        raise NotYet(str(states))
    return pod


LOOSE_PODS: dict[str, dict[str, Any]] = {
    "privileged": {"privileged": True, "allowPrivilegeEscalation": True},
    "root": {"runAsNonRoot": False, "runAsUser": 0},
    "unconfined": {"seccompProfile": {"type": "Unconfined"}},
    "may gain privileges": {"allowPrivilegeEscalation": True},
    "a capability": {"capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}},
    "drops nothing": {"capabilities": {}},
}
OF_NODE: dict[str, dict[str, Any]] = {
    "its node's network": {"hostNetwork": True},
    "its node's processes": {"hostPID": True},
    "a path of its node": {"volumes": [{"name": "a", "hostPath": {"path": "/"}}]},
}
REFUSED = require("Pod Security refuses the pod", lambda answer: answer == "refused")


@claim("iso-restricted-is-enforced")
def test_the_namespace_refuses_what_restricted_forbids(
    default_tier: Box, kube: Kube, aside: str, session: Session
) -> None:
    """Nothing is made: the API server is asked what it would do."""

    def answer(asked: str, namespace: str, pod: Object) -> str:
        try:
            kube.post(kube.path("Pod", "", namespace), pod, query={"dryRun": "All"})
        except Forbidden as error:
            if "PodSecurity" not in error.message:
                raise
            return observe("a pod", f"{asked} in {namespace}", "refused")
        return observe("a pod", f"{asked} in {namespace}", "taken")

    def pod(namespace: str, security: dict[str, Any], spec: dict[str, Any]) -> Object:
        name = helper_pods.unique("loose")
        return probe_pods.manifest(name, namespace, session.probe_image, security=security, spec=spec)

    with control("a namespace without a level takes each of them; this one takes a pod that is confined"):
        for what, security in LOOSE_PODS.items():
            REFUSED.fails(answer(what, aside, pod(aside, security, {})))
        where = default_tier.namespace
        REFUSED.fails(answer("a confined one", where, pod(where, {}, {})))
    for what, security in LOOSE_PODS.items():
        REFUSED(answer(what, default_tier.namespace, pod(default_tier.namespace, security, {})))
    for what, spec in OF_NODE.items():
        REFUSED(answer(what, default_tier.namespace, pod(default_tier.namespace, {}, spec)))
