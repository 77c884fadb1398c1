"""What values switch off, and who goes on to speak of it: a pod that waits for a Service, say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from boxproof.subject.manifests.pod_specs import pod_spec

Objects = list[dict[str, Any]]
SPOKEN_OF = ("Service", "ConfigMap", "Secret", "PersistentVolumeClaim", "Deployment")


def named(before: Objects, after: Objects) -> list[str]:
    """Return the names in pods and settings of ``after`` of what is in ``before`` alone, and where.

    A name that anything else still has is left out.
    """
    there = {str(each["metadata"]["name"]) for each in after}
    names = {str(each["metadata"]["name"]) for each in before if each["kind"] in SPOKEN_OF} - there
    patterns = {each: re.compile(rf"(?<![\w-]){re.escape(each)}(?![\w-])") for each in names}
    found = {
        f"{where}: {name}"
        for where, text in _texts(after)
        for name, pattern in patterns.items()
        if pattern.search(text)
    }
    return sorted(found)


def _texts(objects: Objects) -> Iterator[tuple[str, str]]:
    for each in objects:
        told = pod_spec(each) or (each.get("data") if each["kind"] == "ConfigMap" else None)
        if told:
            yield f"{each['kind']}/{each['metadata']['name']}", json.dumps(told)
