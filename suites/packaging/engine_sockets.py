"""The sockets of container engines, wherever something mounts one or a directory that has one in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from boxproof.subject.manifests.pod_specs import pod_spec

SOCKETS = tuple(
    PurePosixPath(each)
    for each in (
        "/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock",
        "/var/run/containerd/containerd.sock", "/run/podman/podman.sock", "/var/run/crio/crio.sock",
        "/run/crio/crio.sock", "/run/k3s/containerd/containerd.sock",
    )
)  # fmt: skip
NAMED = re.compile(r"(?:-v|--volume|--mount)[= ](?:type=bind,)?(?:(?:source|src)=)?([^:,\s]+)")
OWN_KEY = "use_api_socket"  # of a service, by which Compose mounts the socket and the user's credentials
REMOTE = re.compile(r"\bDOCKER_HOST=\S+")


def holds(path: str) -> bool:
    """Return whether a path of a host is an engine's socket, or a directory with one in it."""
    made = PurePosixPath(path)
    return any(made == each or made in each.parents for each in SOCKETS) or made.suffix == ".sock"


def mounted(objects: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the volumes of pods that hold an engine's socket."""
    volumes = [each for one in objects for each in (pod_spec(one) or {}).get("volumes") or ()]
    return [each["name"] for each in volumes if holds((each.get("hostPath") or {}).get("path", "none"))]


def composed(content: Mapping[str, Any]) -> list[str]:
    """Return the mounts of a Compose file's services that hold an engine's socket."""
    found = []
    for each in (content.get("services") or {}).values():
        if (each or {}).get(OWN_KEY) not in (None, False):
            found.append(OWN_KEY)
        for mount in (each or {}).get("volumes") or ():
            source = str(mount.get("source", "")) if isinstance(mount, Mapping) else str(mount).split(":")[0]
            path = re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", source)
            if ("/" in path and holds(path)) or re.search(r"\.sock|DOCKER_SOCKET", source):
                found.append(source)
    return found


def named(command: str) -> list[str]:
    """Return the engine's sockets that a command mounts, or the engine it is told of."""
    mounts = [each for each in NAMED.findall(command) if each.startswith("/") and holds(each)]
    return mounts + REMOTE.findall(command)
