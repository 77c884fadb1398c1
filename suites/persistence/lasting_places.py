"""Whether each pod of a workload finds what the one before has left: on the same claim, at the same place."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from boxproof.subject.manifests.pod_specs import pod_spec

REFERENCE = re.compile(r"\$\((\w+)\)")
# what the next pod of a name may have otherwise; the name itself lasts in a StatefulSet alone
PASSING = re.compile(r"metadata\.uid|spec\.nodeName|status\.(host|pod)IPs?|.*-hash\b.*|.*revision.*")
NAME = "metadata.name"
NAMED_FOR_GOOD = ("StatefulSet", "Pod")

Object = Mapping[str, Any]


def passing(item: Object, container: Object, directory: str) -> Iterator[str]:
    """Give why the next pod of a workload may find nothing in a directory of its container."""
    mount = _carrier(container, directory)
    if mount is None:
        yield "no mount"
        return
    if mount["name"] not in _claims(item):
        yield f"volume {mount['name']} is no claim"
    for field in _fields(str(mount.get("subPathExpr") or ""), container, depth=5):
        if PASSING.fullmatch(field) or (field == NAME and item["kind"] not in NAMED_FOR_GOOD):
            yield f"its place is by {field}"


def _carrier(container: Object, directory: str) -> Object | None:
    """Return the innermost mount that a directory is in."""
    every: list[Object] = list(container.get("volumeMounts") or ())
    places = [(posixpath.normpath(str(each["mountPath"])), each) for each in every]
    within = [(place, each) for place, each in places if f"{directory}/".startswith(f"{place.rstrip('/')}/")]
    return max(within, key=lambda found: len(found[0]))[1] if within else None


def _claims(item: Object) -> set[str]:
    templates = item["spec"].get("volumeClaimTemplates") or ()
    volumes = (pod_spec(item) or {}).get("volumes") or ()
    found = {str(each["metadata"]["name"]) for each in templates}
    return found | {str(each["name"]) for each in volumes if "persistentVolumeClaim" in each}


def _fields(text: str, container: Object, *, depth: int) -> Iterator[str]:
    """Give the fields of a pod that a text with variables of its container comes of."""
    known = {each["name"]: each for each in container.get("env") or ()}
    for name in REFERENCE.findall(text) if depth else ():
        variable = known.get(name) or {}
        field = ((variable.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath")
        if field:
            yield str(field)
        yield from _fields(str(variable.get("value") or ""), container, depth=depth - 1)
