"""What every component brings, one of no tier as well: of the node, to write to, and without a bound."""

from __future__ import annotations

from typing import Any

from boxproof.deployment.deploy import Objects, Rendered
from boxproof.kube.client import Object
from boxproof.subject.manifests.pod_specs import GROUPS, containers
from pytest_claims import claim, control, needs, observe, require
from suites.isolation.node_places import boundless, of_nodes
from suites.isolation.test_first_process import of_node

NOTHING_OF_NODES = require(
    "no pod, volume or Service of it takes a path, a port, a device or a namespace of a node",
    lambda found: found == [],
)
NO_LAYER = require("no container of it may write to its own layer", lambda found: found == [])
HAS_A_BOUND = require("memory and disk of its containers have a bound", lambda found: found == [])


def made_wrong(kind: str, spec: dict[str, Any]) -> Object:
    """Return an object with that spec."""
    return {"kind": kind, "metadata": {"name": "doctored"}, "spec": spec}


@claim("iso-nothing-of-the-node")
@needs("box", "default-tier")
def test_no_component_takes_anything_of_a_node(every: Rendered) -> None:
    """A volume that a tier brings may be a directory of the node, and a Service a port of all of them."""

    def taken(asked: str, objects: Objects) -> list[str]:
        return observe(
            "taken of nodes",
            asked,
            sorted({*of_nodes(objects), *(one for each in objects for one in of_node(each))}),
        )

    wrong = {
        "a volume that is a directory": made_wrong("PersistentVolume", {"hostPath": {"path": "/data"}}),
        "a volume that is a disk": made_wrong("PersistentVolume", {"local": {"path": "/mnt/disk"}}),
        "a port of every node": made_wrong("Service", {"type": "NodePort", "ports": [{"port": 8080}]}),
        "an address of a node": made_wrong("Service", {"externalIPs": ["192.0.2.7"]}),
        "a device": made_wrong(
            "Pod", {"containers": [{"volumeDevices": [{"name": "a", "devicePath": "/dev/a"}]}]}
        ),
    }
    for what, each in wrong.items():
        with control(f"{what} is seen"):
            NOTHING_OF_NODES.fails(taken(what, [each]))
    for name, objects in every.items():
        NOTHING_OF_NODES(taken(name, objects))


@claim("iso-root-filesystem-read-only")
@needs("box", "default-tier")
def test_no_component_opens_a_layer(every: Rendered) -> None:
    def open_ones(asked: str, objects: Objects) -> list[str]:
        found = [
            where
            for where, one in containers(objects, GROUPS[:2])
            if (one.get("securityContext") or {}).get("readOnlyRootFilesystem") is not True
        ]
        return observe("layers that can be written", asked, sorted(found))

    with control("one that says nothing, and one that wants to, are seen"):
        for security in ({}, {"readOnlyRootFilesystem": False}):
            spec = {"containers": [{"name": "one", "securityContext": security}]}
            NO_LAYER.fails(open_ones("doctored", [made_wrong("Pod", spec)]))
    for name, objects in every.items():
        NO_LAYER(open_ones(name, objects))


@claim("iso-pod-is-bounded")
@needs("box", "default-tier")
def test_no_component_takes_a_bound_away(every: Rendered) -> None:
    def found(asked: str, objects: Objects) -> list[str]:
        return observe("without a bound", asked, sorted(boundless(objects)))

    kept = {"limits": {"memory": "1Gi", "ephemeral-storage": "1Gi"}}
    wrong: dict[str, dict[str, Any]] = {
        "no limit of the disk": {"containers": [{"name": "one", "resources": {"limits": {"memory": "1Gi"}}}]},
        "a memory that no machine has": {
            "containers": [{"name": "one", "resources": {"limits": kept["limits"] | {"memory": "64Ti"}}}]
        },
        "a directory larger than any disk": {
            "containers": [{"name": "one", "resources": kept}],
            "volumes": [{"name": "a", "emptyDir": {"sizeLimit": "64Ti"}}],
        },
    }
    for what, spec in wrong.items():
        with control(f"{what} is seen"):
            HAS_A_BOUND.fails(found(what, [made_wrong("Pod", spec)]))
    for name, objects in every.items():
        HAS_A_BOUND(found(name, objects))
