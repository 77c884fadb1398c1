"""What requests and limits may become later: a VerticalPodAutoscaler lowers both to what was in use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from boxproof.probes.cgroup import quantity

KIND = "VerticalPodAutoscaler"
OFF = "Off"  # of a mode: it only recommends
BOTH = ("cpu", "memory")
REQUESTS_ALONE = "RequestsOnly"

Object = Mapping[str, Any]


def lowest(objects: Iterable[Object], workload: Object, container: Object) -> dict[str, Any]:
    """Return the resources of a workload's container, or the least that autoscalers may make of them."""
    found = dict(container.get("resources") or {})
    for policy in _policies(objects, workload, str(container["name"])):
        found = _lowered(found, policy)
    return found


def _policies(objects: Iterable[Object], workload: Object, container: str) -> Iterator[Object]:
    """Give what each autoscaler of a workload says of a container, {} for nothing."""
    for each in objects:
        spec = each.get("spec") or {}
        target = spec.get("targetRef") or {}
        mine = (target.get("kind"), target.get("name")) == (workload["kind"], workload["metadata"]["name"])
        if each["kind"] == KIND and mine and (spec.get("updatePolicy") or {}).get("updateMode") != OFF:
            said = (spec.get("resourcePolicy") or {}).get("containerPolicies") or ()
            named = {one.get("containerName"): one for one in said}
            policy: Object = named.get(container) or named.get("*") or {}
            if policy.get("mode") != OFF:
                yield policy


def _lowered(resources: Object, policy: Object) -> dict[str, Any]:
    """Return resources at their lowest; a limit stays in proportion to its request, where it is not kept."""
    requests, limits = (dict(resources.get(kind) or {}) for kind in ("requests", "limits"))
    for name in policy.get("controlledResources") or BOTH:
        asked = quantity(requests.get(name) or 0)
        requests[name] = min(asked, quantity((policy.get("minAllowed") or {}).get(name) or 0))
        if asked and name in limits and policy.get("controlledValues") != REQUESTS_ALONE:
            limits[name] = quantity(limits[name]) * requests[name] / asked
    return {"requests": requests, "limits": limits}
