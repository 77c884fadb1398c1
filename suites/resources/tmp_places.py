"""What a pod has at /tmp, or below it: memory of a size, or nothing that can be written."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from boxproof.probes.cgroup import quantity
from boxproof.subject.manifests.pod_specs import GROUPS

TMP = "/tmp"
FIXED = frozenset({"configMap", "secret", "projected", "downwardAPI", "image"})  # nobody writes there


def open_places(pod: Mapping[str, Any], container: Mapping[str, Any]) -> Iterator[str]:
    """Give the places at /tmp or below it where a container may write to a disk, or without a bound."""
    volumes = {each["name"]: each for each in pod.get("volumes") or ()}
    mounts = {_place(each): each for each in container.get("volumeMounts") or ()}
    written = {place: each for place, each in mounts.items() if not each.get("readOnly")}
    for place, each in written.items():
        is_within = f"{place}/".startswith(f"{TMP}/")
        if is_within and not _is_bounded(volumes.get(each["name"]) or {}, _memory(pod)):
            yield place
    if TMP not in mounts and not (container.get("securityContext") or {}).get("readOnlyRootFilesystem"):
        yield f"{TMP} in its own layer"


def _place(mount: Mapping[str, Any]) -> str:
    return posixpath.normpath(str(mount["mountPath"]))


def _memory(pod: Mapping[str, Any]) -> float:
    """Return the most memory that a container of a pod may have, 0 where none has a limit."""
    every = (each for group in GROUPS[:2] for each in pod.get(group) or ())
    limits = ((each.get("resources") or {}).get("limits") or {} for each in every)
    return max((quantity(each.get("memory") or 0) for each in limits), default=0)


def _is_bounded(volume: Mapping[str, Any], memory: float) -> bool:
    """Return whether a volume is memory of a size, which is no bound beyond what a container may have."""
    if FIXED & set(volume):
        return True
    directory = volume.get("emptyDir") or {}
    size = quantity(directory.get("sizeLimit") or 0)
    return bool(directory.get("medium") == "Memory") and 0 < size <= (memory or size)
