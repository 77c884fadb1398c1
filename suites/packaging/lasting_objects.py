"""What of a release has to be the same object in the next one: of another name it is another one.

That is with nothing in it, at another address, or beside the first.
"""

from __future__ import annotations

from typing import Any

from boxproof.subject.manifests.object_diff import called

Objects = list[dict[str, Any]]
KEPT = {"helm.sh/resource-policy": "keep"}  # what Helm leaves there, whatever it renders
HOOK = "helm.sh/hook"  # of what Helm makes anew each time
LASTING = ("StatefulSet", "Deployment", "DaemonSet", "PersistentVolumeClaim", "Namespace", "Service")


def gone(before: Objects, after: Objects) -> list[str]:
    """Return what lasts and is not there afterwards."""
    there = {called(each) for each in after}
    lasting = [called(each) for each in before if each["kind"] in LASTING]
    return [each for each in lasting if each not in there]


def renamed(objects: Objects, version: str) -> Objects:
    """Return the objects with a classic mistake: the version is in the names."""
    return [
        {**each, "metadata": {**each["metadata"], "name": f"{each['metadata']['name']}-{version}"}}
        for each in objects
    ]


def taken_away(before: Objects, after: Objects) -> list[str]:
    """Return what an upgrade from one render to another has Helm delete."""
    there = {called(each) for each in after}
    return [called(each) for each in before if called(each) not in there and not _stays(each)]


def _stays(item: dict[str, Any]) -> bool:
    noted = item["metadata"].get("annotations") or {}
    return HOOK in noted or KEPT.items() <= noted.items()


def without_new_hooks(objects: Objects, before: Objects) -> Objects:
    """Return the objects of an upgrade but for what Helm carries out at each alone."""
    there = {called(each) for each in before}
    return [
        each
        for each in objects
        if called(each) in there or HOOK not in (each["metadata"].get("annotations") or {})
    ]
