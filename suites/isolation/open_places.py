"""Where a container may write as much as it likes on its node, read from its pod."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from boxproof.probes.cgroup import quantity

MOST_DISK = 20 * 10**9  # bytes on a node's disk by one container


def open_places(pod: Mapping[str, Any], container: Mapping[str, Any]) -> Iterator[str]:
    """Give the places where a container may write as much as it likes on its node: its own layer, volumes."""
    limits = (container.get("resources") or {}).get("limits") or {}
    if _endless(limits.get("memory")):
        yield "memory"
    if 0 < quantity(limits.get("ephemeral-storage", 0)) <= MOST_DISK:
        return  # it counts the layer, the log and every directory of the node's disk
    if not (container.get("securityContext") or {}).get("readOnlyRootFilesystem"):
        yield "its own layer"
    volumes = {each["name"]: each for each in pod.get("volumes") or ()}
    for mount in container.get("volumeMounts") or ():
        directory = volumes.get(mount["name"], {}).get("emptyDir")
        if directory is not None and not mount.get("readOnly") and _is_open(directory):
            yield str(mount["mountPath"])


def _is_open(directory: Mapping[str, Any]) -> bool:
    """Return whether an emptyDir has no size, or on a disk one that is no bound."""
    size = directory.get("sizeLimit")
    return _endless(size) or (directory.get("medium") != "Memory" and quantity(size or 0) > MOST_DISK)


def _endless(size: Any) -> bool:
    """Return whether a limit bounds nothing: one that is not there, or is 0, whatever its unit."""
    return quantity(size or 0) == 0
