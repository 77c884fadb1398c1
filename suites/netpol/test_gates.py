"""The gate of every tier, as it is rendered: it is the one that is seen to hold, and waits for the same."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from typing import Any

from boxproof.deployment.box import Box
from boxproof.kube.client import Object
from boxproof.kube.network_policies import matches
from boxproof.kube.pod_status import first
from boxproof.subject.manifests.pod_specs import labels, pod_spec
from pytest_claims import claim, control, needs, observe, require

PLACE = re.compile(r"(?P<host>[a-z0-9][a-z0-9.-]*):(?P<port>\d+)")
OF_A_PROGRAM = ("name", "image", "command", "args", "env", "envFrom", "restartPolicy")
THE_SAME = require(
    "the gate is that of the default tier, in what it runs, in what it is given and in what it waits for",
    lambda different: different == [],
)


def gate(tier: Box) -> dict[str, Any]:
    """Return what the first container of a tier's agent runs, is given, and waits for, by name."""
    found = first(tier.spec)
    made = {f"gate {key}": found.get(key) for key in OF_A_PROGRAM}
    volumes = {each["name"]: each for each in tier.spec.get("volumes") or ()}
    for each in found.get("volumeMounts") or ():
        made[f"gate {each['mountPath']}"] = (each, volumes.get(each["name"]))
    said = " ".join(map(str, [*(found.get("command") or ()), *(found.get("args") or ())]))
    for place in PLACE.finditer(said):
        made |= behind(tier.objects, place["host"].split(".")[0], int(place["port"]))
    return made


def behind(objects: list[Object], host: str, port: int) -> dict[str, Any]:
    """Return what answers at a port of a Service: its port, and the programs of the pods that it selects."""
    services = [each for each in objects if (each["kind"], each["metadata"]["name"]) == ("Service", host)]
    made: dict[str, Any] = {f"{host}:{port} Service": [each["spec"] for each in services]}
    for service in services:
        selector = {"matchLabels": service["spec"].get("selector") or {}}
        for each in objects:
            if each["kind"] != "Pod" and pod_spec(each) and matches(selector, labels(each)):
                made |= programs(each)
    return made


def programs(workload: Object) -> dict[str, Any]:
    """Return what a workload runs, and how many pods of it there are."""
    name = f"{workload['kind']}/{workload['metadata']['name']}"
    made: dict[str, Any] = {f"{name} replicas": workload["spec"].get("replicas", 1)}
    for each in (pod_spec(workload) or {})["containers"]:
        kept = {key: each.get(key) for key in (*OF_A_PROGRAM, "ports")}
        made[f"{name}/{each['name']}"] = kept
    return made


def different(asked: str, gates: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return in what two gates differ; an observation."""
    names = {each for each in {*gates, *wanted} if gates.get(each) != wanted.get(each)}
    return observe("different from the default tier's", asked, sorted(names))


def blind(objects: list[Object]) -> None:
    """Have the gate look at nothing."""
    spec = next(pod_spec(each) for each in objects if (pod_spec(each) or {}).get("initContainers"))
    first_of(spec or {})["command"] = ["true"]


def with_a_volume(objects: list[Object]) -> None:
    """Give the gate a volume of the agent's."""
    spec = next(pod_spec(each) for each in objects if (pod_spec(each) or {}).get("initContainers")) or {}
    mount = {"name": spec["volumes"][0]["name"], "mountPath": "/given"}
    first_of(spec).setdefault("volumeMounts", []).append(mount)


def first_of(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the first init container of a pod spec itself."""
    found: dict[str, Any] = spec["initContainers"][0]
    return found


def nothing_listens(objects: list[Object]) -> None:
    """Have the last of what it waits for not be there: what is not answered is taken for denied."""
    for each in objects:
        if each["kind"] == "Deployment":
            (pod_spec(each) or {})["containers"].pop()


SPOILT: dict[str, Callable[[list[Object]], None]] = {
    "looks at nothing": blind,
    "waits for what is not there": nothing_listens,
    "is given a volume": with_a_volume,
}


@claim("netpol-effective-from-first-packet")
@needs("box", "default-tier")
def test_the_gate_of_every_tier_is_the_one_that_is_seen_to_hold(tiers_as_rendered: Mapping[str, Box]) -> None:
    """That nothing starts before a policy is in force is seen of the default tier alone."""
    default = tiers_as_rendered["default"]
    wanted = gate(default)
    assert any("Service" in each for each in wanted), "the gate names no place that it waits for"
    for what, spoil in SPOILT.items():
        with control(f"a gate that {what} is seen"):
            objects = copy.deepcopy(default.objects)
            spoil(objects)
            spoilt = Box(
                session=default.session, kube=default.kube, namespace=default.namespace, suffix="",
                components=(), objects=objects, token="",
            )  # fmt: skip
            THE_SAME.fails(different(what, gate(spoilt), wanted))
    for name, tier in tiers_as_rendered.items():
        THE_SAME(different(name, gate(tier), wanted))
