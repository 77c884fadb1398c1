"""The sockets of container engines, wherever something mounts one or a directory that has one in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from boxproof.subject.manifests.compose_file import OWN_KEY
from boxproof.subject.manifests.pod_specs import pod_spec
from suites.packaging import compose_overlays

SOCKETS = tuple(
    PurePosixPath(each)
    for each in (
        "/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock",
        "/var/run/containerd/containerd.sock", "/run/podman/podman.sock", "/var/run/crio/crio.sock",
        "/run/crio/crio.sock", "/run/k3s/containerd/containerd.sock",
    )
)  # fmt: skip
NAMED = re.compile(r"(?:-v|--volume|--mount)[= ](?:type=bind,)?(?:(?:source|src)=)?([^:,\s]+)")
# of a Compose file beside the services: a file of the machine that is mounted into those that name it
FILES = ("secrets", "configs")
MOUNT = re.compile(r"(?:source=|\"source\"\s*:\s*\"|(?:-v|--volume)(?:[= ]|\"\s*,\s*\"))([^,:\"\s]+)")
OUTSIDE = re.compile(r"\bdocker-(?:outside-of-docker|from-docker)[\w:./-]*")  # a feature that mounts it
ELSEWHERE = re.compile(r"\bDOCKER_HOST=(?:tcp|ssh|http|https)://(?:[^@\s/]*@)?(?P<host>[\w.-]+)\S*")
REMOTE = re.compile(r"\bDOCKER_HOST=\S+")


def holds(path: str) -> bool:
    """Return whether a path of a host is an engine's socket, or a directory with one in it."""
    made = PurePosixPath(path)
    return any(made == each or made in each.parents for each in SOCKETS) or made.suffix == ".sock"


def mounted(objects: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the volumes of pods, and what claims may be bound to, that hold an engine's socket."""
    found = []
    for one in objects:
        volumes = (pod_spec(one) or {}).get("volumes") or ()
        found += [each["name"] for each in volumes if holds((each.get("hostPath") or {}).get("path", "none"))]
        spec = one.get("spec") or {}
        if one.get("kind") == "PersistentVolume":
            paths = [(spec.get(key) or {}).get("path", "none") for key in ("hostPath", "local")]
            found += [str(one["metadata"]["name"])] if any(map(holds, paths)) else []
    return found


def composed(content: Mapping[str, Any]) -> list[str]:
    """Return the mounts of a Compose file's services that hold an engine's socket, by whatever way."""
    found = [*_of_volumes(content), *_of_files(content)]
    for each in (content.get("services") or {}).values():
        if (each or {}).get(OWN_KEY) not in (None, False):
            found.append(OWN_KEY)
        for mount in (each or {}).get("volumes") or ():
            source = str(mount.get("source", "")) if isinstance(mount, Mapping) else str(mount).split(":")[0]
            path = _path(source)
            if ("/" in path and holds(path)) or re.search(r"\.sock|DOCKER_SOCKET", source):
                found.append(source)
        found += _told(_variables((each or {}).get("environment")), content.get("services") or {})
    return found


def _of_volumes(content: Mapping[str, Any]) -> Iterator[str]:
    """Give the volumes with a name that are a directory of the machine with a socket in it."""
    for name, each in (content.get("volumes") or {}).items():
        options = (each or {}).get("driver_opts") or {}
        if holds(_path(str(options.get("device", "none")))):
            yield str(name)


def _of_files(content: Mapping[str, Any]) -> Iterator[str]:
    for key in FILES:
        for name, each in (content.get(key) or {}).items():
            if holds(_path(str((each or {}).get("file", "none")))):
                yield str(name)


def unasked(files: Mapping[str, Mapping[str, Any]], first: str, asked: str) -> dict[str, Mapping[str, Any]]:
    """Return the Compose files that are taken without a word about the socket; ``asked`` is named for it.

    What is laid over the ``first`` file has to be named as well, but for what Compose takes by itself.
    """

    def counts(name: str, services: Mapping[str, Any]) -> bool:
        alone = any((each or {}).get(key) for each in services.values() for key in ("image", "build"))
        return name == first or alone or bool(compose_overlays.BY_ITSELF.match(PurePosixPath(name).name))

    return {
        name: content
        for name, content in files.items()
        if name != asked and counts(name, content.get("services") or {})
    }


def of_the_box(content: Mapping[str, Any], service: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Compose file with only the services that are the box, and those it takes for its engine.

    What another image beside it mounts, a reverse proxy's for instance, is not the agent's. ``own`` is the
    box's ``service`` in the first file.
    """
    services = content.get("services") or {}
    kept = dict(compose_overlays.of_the_box(services, service, own))
    told = "\n".join(_variables(each.get("environment")) for each in kept.values())
    engines = {each["host"] for each in ELSEWHERE.finditer(told)}
    beside = {name: each for name, each in services.items() if name in engines and name not in kept}
    return {**content, "services": {**kept, **beside}}


def _told(text: str, services: Mapping[str, Any]) -> list[str]:
    """Return the engines that variables name, but for one that is a service beside."""
    return [each[0] for each in ELSEWHERE.finditer(text) if each["host"] not in services]


def _variables(given: Any) -> str:
    if isinstance(given, Mapping):
        return "\n".join(f"{name}={value}" for name, value in given.items() if value is not None)
    return "\n".join(map(str, given or ()))


def _path(source: str) -> str:
    return re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", source)


def development(text: str) -> list[str]:
    """Return how a description of a container for development (devcontainer.json) hands on the engine."""
    found = [*MOUNT.findall(text), *REMOTE.findall(text)]
    sockets = [each for each in found if each.startswith("DOCKER_HOST") or holds(each)]
    return [*sockets, *OUTSIDE.findall(text)]


def named(command: str) -> list[str]:
    """Return the engine's sockets that a command mounts, or the engine it is told of."""
    mounts = [each for each in NAMED.findall(command) if each.startswith("/") and holds(each)]
    return mounts + REMOTE.findall(command)


# others may write to it: by a digit or by letters
OPENED = re.compile(
    r"\bchmod\b(?:[ \t]+-\S+)*[ \t]+(?:0?[0-7]{2}[2367]|(?:[ugoa]+[+=]\w*,)*(?:\w*[oa]\w*)?[+=]\w*w\w*)"
    r"[ \t][^\n;&|]*(?:\.sock\b|\bDOCKER_SOCKET\b)"
)


def opened(text: str) -> list[str]:
    """Return the commands of a text that let everybody on the machine use an engine's socket."""
    return [each[0] for each in OPENED.finditer(text)]
