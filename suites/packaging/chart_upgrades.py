"""Two renders of a chart: whose pods are others after an upgrade, and who reads what has changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from boxproof.subject.manifests.object_diff import called
from pytest_claims import observe

Objects = list[dict[str, Any]]
RUNNING = ("StatefulSet", "Deployment", "DaemonSet")  # what replaces its pods where their template changes
READ = {
    "configMap": "ConfigMap", "configMapRef": "ConfigMap", "configMapKeyRef": "ConfigMap",
    "secret": "Secret", "secretRef": "Secret", "secretKeyRef": "Secret",
}  # fmt: skip
DIGEST = re.compile(r"[0-9a-f]{32,}")  # of anything: it stands for a change, in an annotation or a variable


def restarted(asked: str, before: Objects, after: Objects) -> list[str]:
    """Return the workloads of both renders that replace their pods; an observation."""
    return observe("pods replaced", asked, _others(_templates(before), _templates(after)))


def owed(before: Objects, after: Objects) -> list[str]:
    """Return the workloads whose pods have to be others.

    That is where the pod's own spec says something else, or a ConfigMap or Secret that it names.
    """
    then, now = _contents(before), _contents(after)
    changed = {name for name in then.keys() | now.keys() if then.get(name) != now.get(name)}
    read = _reads(before)
    specs = [
        {name: DIGEST.sub("", json.dumps(each["spec"], sort_keys=True)) for name, each in templates.items()}
        for templates in (_templates(before), _templates(after))
    ]
    readers = [name for name in specs[0].keys() & specs[1].keys() if changed & read[name]]
    return sorted({*_others(*specs), *readers})


def noted(objects: Objects, annotations: Mapping[str, str] | None) -> Objects:
    """Return the objects, the templates of their pods with these annotations in the place of their own."""
    return [
        {**each, "spec": {**each["spec"], "template": _noted(each["spec"]["template"], annotations)}}
        if each["kind"] in RUNNING
        else each
        for each in objects
    ]


def _noted(template: Mapping[str, Any], annotations: Mapping[str, str] | None) -> dict[str, Any]:
    return {**template, "metadata": {**template["metadata"], "annotations": annotations}}


def _templates(objects: Objects) -> dict[str, dict[str, Any]]:
    return {called(each): each["spec"]["template"] for each in objects if each["kind"] in RUNNING}


def _others(then: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    return sorted(name for name in then.keys() & now.keys() if then[name] != now[name])


def _contents(objects: Objects) -> dict[str, Any]:
    """Return the content of each ConfigMap and Secret, by what pods of its namespace name it."""
    kinds = set(READ.values())
    keys = ("data", "binaryData", "stringData")
    return {called(each): [each.get(key) for key in keys] for each in objects if each["kind"] in kinds}


def _reads(objects: Objects) -> dict[str, set[str]]:
    """Return which ConfigMaps and Secrets the pods of each workload name."""
    found = {}
    for each in objects:
        if each["kind"] in RUNNING:
            space = each["metadata"].get("namespace")
            where = f"{space}/" if space else ""
            spec = each["spec"]["template"]["spec"]
            found[called(each)] = {f"{kind} {where}{name}" for kind, name in _named(spec)}
    return found


def _named(item: Any) -> Iterator[tuple[str, str]]:
    """Give kind and name of each ConfigMap and Secret, however deep it stands."""
    for each in item if isinstance(item, list) else item.values() if isinstance(item, Mapping) else ():
        yield from _named(each)
    if isinstance(item, Mapping):
        for key, kind in READ.items():
            named = item.get(key)
            if isinstance(named, Mapping):
                yield from ((kind, str(named[one])) for one in ("name", "secretName") if one in named)
