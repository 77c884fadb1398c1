"""What objects take of the nodes beside what pods say of themselves, and what of a pod has no bound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from boxproof.probes.cgroup import quantity
from boxproof.subject.manifests.pod_specs import GROUPS, containers, pod_spec
from suites.isolation.open_places import open_places

MOST_MEMORY = 10**12  # bytes; no machine gives one container as much
OF_A_NODE = ("hostPath", "local")
AT_A_NODE = ("NodePort", "LoadBalancer")


def of_nodes(objects: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Give what objects take of their nodes: a directory as a volume, ports of all of them, a device."""
    for each in objects:
        name, spec = f"{each['kind']}/{each['metadata']['name']}", each.get("spec") or {}
        if each["kind"] == "PersistentVolume":
            yield from (f"{name}: {key}" for key in OF_A_NODE if key in spec)
        if each["kind"] == "Service":
            yield from (f"{name}: {one}" for one in AT_A_NODE if one == spec.get("type"))
            yield from (f"{name}: externalIPs" for _ in spec.get("externalIPs") or ())
        yield from (
            f"{name}: device {one['devicePath']}"
            for group in GROUPS[:2]
            for container in (pod_spec(each) or {}).get(group) or ()
            for one in container.get("volumeDevices") or ()
        )


def boundless(objects: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Give where containers have no bound: places to write to, and a memory that no machine has."""
    for each in objects:
        for where, one in containers([each], GROUPS[:2]):
            yield from (f"{where}: {place}" for place in open_places(pod_spec(each) or {}, one))
            limits = (one.get("resources") or {}).get("limits") or {}
            if quantity(limits.get("memory", 0)) > MOST_MEMORY:
                yield f"{where}: memory {limits['memory']}"
        for volume in (pod_spec(each) or {}).get("volumes") or ():
            size = (volume.get("emptyDir") or {}).get("sizeLimit")
            if size is not None and quantity(size) > MOST_MEMORY:
                yield f"{each['kind']}/{each['metadata']['name']}: {volume['name']} of {size}"
