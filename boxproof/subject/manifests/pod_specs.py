"""The pods that manifests make: their containers and how these name their images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_claims.faults import SubjectFault

GROUPS = ("initContainers", "containers", "ephemeralContainers")


def pod_spec(manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the pod spec in an object, whatever workload wraps it; None where it makes no pod.

    It is the object's own: what is set in it is set in the object.
    """
    spec: dict[str, Any] = manifest.get("spec") or {}
    if manifest.get("kind") == "Pod":
        return spec
    job = spec.get("jobTemplate", {}).get("spec", spec)
    found: dict[str, Any] | None = job.get("template", {}).get("spec")
    return found or None


def containers(
    manifests: Iterable[Mapping[str, Any]], groups: Sequence[str] = GROUPS
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give ("Kind/name/container", container) for each container of each pod."""
    for each in manifests:
        spec = pod_spec(each) or {}
        for group in groups:
            for container in spec.get(group) or ():
                yield f"{each['kind']}/{each['metadata']['name']}/{container.get('name', '?')}", container


def images(manifests: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the image of each container by "Kind/name/container", "" where none is named."""
    return {where: str(each.get("image", "")) for where, each in containers(manifests)}


def is_floating(reference: str) -> bool:
    """Return whether ``reference`` can come to mean other content: no tag, or ``latest``, and no digest."""
    if "@sha256:" in reference:
        return False
    _, colon, tag = reference.rpartition("/")[2].partition(":")
    return not colon or tag in ("", "latest")


def floating(manifests: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the floating images by the container that names them."""
    return {where: each for where, each in images(manifests).items() if is_floating(each)}


def workload(manifests: Iterable[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Return the object called ``name`` that makes pods, StatefulSet or not; raises SubjectFault for none."""
    for each in manifests:
        if each["metadata"]["name"] == name and pod_spec(each) is not None:
            return dict(each)
    raise SubjectFault(f"no workload {name!r} in the manifests")


def selector(manifest: Mapping[str, Any]) -> str:
    """Return a workload's selector as the API's query takes it."""
    return ",".join(f"{key}={value}" for key, value in manifest["spec"]["selector"]["matchLabels"].items())


def added_capabilities(manifest: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the capabilities that an object's containers add, by "Kind/name/container"."""
    found = {}
    for where, container in containers([manifest]):
        added = ((container.get("securityContext") or {}).get("capabilities") or {}).get("add")
        if added:
            found[where] = sorted(added)
    return found


def without_pods(manifests: Iterable[dict[str, Any]]) -> None:
    """Set the replicas of every workload to none, in place: for what is asked of the other objects only."""
    for each in manifests:
        if each["kind"] in ("StatefulSet", "Deployment"):
            each["spec"]["replicas"] = 0


def missing_resources(manifests: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return what each container has no request or limit of, by "Kind/name/container"."""
    found = {}
    for where, container in containers(manifests, GROUPS[:2]):  # an ephemeral one cannot have any
        given = container.get("resources") or {}
        wanted = [(kind, name) for kind in ("requests", "limits") for name in ("cpu", "memory")]
        found[where] = [f"{kind}.{name}" for kind, name in wanted if not (given.get(kind) or {}).get(name)]
    return found


def holders(spec: Mapping[str, Any], secret: str) -> list[str]:
    """Return the containers of a pod spec that get something of a Secret, as files or as variables."""
    volumes = {each["name"] for each in spec.get("volumes") or () if secret in _secrets(each)}
    found = []
    for container in (each for group in GROUPS for each in spec.get(group) or ()):
        mounted = {each["name"] for each in container.get("volumeMounts") or ()}
        variables = [*(container.get("env") or ()), *(container.get("envFrom") or ())]
        if mounted & volumes or any(secret in _secrets(each) for each in variables):
            found.append(str(container["name"]))
    return found


def _secrets(item: Any) -> set[str]:
    """Return the names of the Secrets that a volume or a variable is made of, however deep they stand."""
    if isinstance(item, list):
        return {name for each in item for name in _secrets(each)}
    if not isinstance(item, Mapping):
        return set()
    found = {name for value in item.values() for name in _secrets(value)}
    for key in ("secret", "secretRef", "secretKeyRef"):
        named = item.get(key) or {}
        found |= {str(named[name]) for name in ("secretName", "name") if name in named}
    return found


def asks_for_root(manifests: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the containers that run as root or leave it open, and why, by "Kind/name/container"."""
    found = {}
    for each in manifests:
        pod = (pod_spec(each) or {}).get("securityContext") or {}
        for where, container in containers([each]):
            given = {**pod, **(container.get("securityContext") or {})}
            if given.get("runAsUser") == 0:
                found[where] = "runAsUser: 0"
            elif not given.get("runAsNonRoot") and given.get("runAsUser") is None:
                found[where] = "neither runAsNonRoot nor runAsUser"
            elif given.get("windowsOptions", {}).get("hostProcess"):
                found[where] = "hostProcess"
    return found
