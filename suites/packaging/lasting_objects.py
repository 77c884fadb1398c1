"""What of a release has to be the same object in the next one: of another name it is another one.

That is with nothing in it, at another address, or beside the first.
"""

from __future__ import annotations

from typing import Any

from boxproof.subject.manifests.object_diff import called

Objects = list[dict[str, Any]]
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
