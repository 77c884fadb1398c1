"""The pods that manifests make: their containers and how these name their images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from boxproof.subject.manifests.derive import CLUSTER_SCOPED
from boxproof.subject.variables import filled
from pytest_claims.faults import SubjectFault, nearest

if TYPE_CHECKING:
    from boxproof.subject.model import Subject

KINDS = ("StatefulSet", "Deployment", "DaemonSet", "Pod", "ReplicaSet", "Job", "CronJob")
GROUPS = ("initContainers", "containers", "ephemeralContainers")
PLACEHOLDER = re.compile(r"\$|\{\{|^(ko|bazel)://|^[A-Z][A-Z0-9_]+$|<[\w-]+>|@@\w+@@")
NOTHING = re.compile(r"0+(\.0+)?[A-Za-z]*")
CAPITALS = re.compile(r"^[^:@]*[A-Z]")  # no name of an image has one
NO_NODE = "boxproof.dev/no-node"  # a label that no node has


def pod_spec(manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the pod spec in an object, whatever workload wraps it; None where it makes no pod.

    It is the object's own: what is set in it is set in the object. Of the two names of its
    account it has the newer.
    """
    if manifest.get("kind") == "Pod":
        return _renamed(manifest.get("spec") or {})
    found = _template(manifest).get("spec")
    return _renamed(found) if isinstance(found, dict) and found else None


def _template(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template of an object's pods, {} for none; a custom resource may have it by other names.

    Of these it is one whose containers have images: others only add to pods that an operator makes.
    """
    spec = manifest.get("spec") or {}
    job = (spec.get("jobTemplate") or {}).get("spec", spec)
    if isinstance(template := job.get("template"), dict):
        return template
    scaled = spec.get("jobTargetRef")
    for each in (spec.get("podTemplate"), scaled.get("template") if isinstance(scaled, dict) else None):
        made = each.get("spec") if isinstance(each, dict) else None
        named = made.get("containers") if isinstance(made, dict) else None
        if each and named and all(isinstance(one, dict) and one.get("image") for one in named):
            return dict_of(each)
    return {}


def _renamed(spec: dict[str, Any]) -> dict[str, Any]:
    if spec.get("serviceAccount"):
        spec.setdefault("serviceAccountName", spec["serviceAccount"])
    return spec


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


def is_filled_in(reference: str) -> bool:
    """Return whether a tool or the user puts an image in the place of ``reference``: it names none itself."""
    named = filled(reference)
    return bool(PLACEHOLDER.search(named) or (CAPITALS.search(named) and ":" not in named))


def image_volumes(manifests: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the image that a volume of a pod is, by "Kind/name/volume"."""
    found = {}
    for each in manifests:
        for volume in (pod_spec(each) or {}).get("volumes") or ():
            told = volume.get("image") if isinstance(volume, Mapping) else None
            if isinstance(told, Mapping) and told.get("reference"):
                found[f"{each['kind']}/{each['metadata']['name']}/{volume['name']}"] = str(told["reference"])
    return found


def floating(manifests: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the floating images by the container, or the volume, that names them."""
    every = list(manifests)
    named = {where: filled(each) for where, each in {**images(every), **image_volumes(every)}.items()}
    return {where: each for where, each in named.items() if is_floating(each) and not is_filled_in(each)}


def workload(manifests: Iterable[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Return the object called ``name`` that makes pods, StatefulSet or not; without a name the agent's.

    Of several of that name it is the one that ``agent`` would take. Raises SubjectFault for none.
    """
    every = [dict_of(each) for each in manifests]
    if not name:
        return agent(every)
    pods = [each for each in every if pod_spec(each) is not None]
    named = [each for each in pods if each["metadata"]["name"] == name] or _as_built(every, "", name)
    if not named:
        raise SubjectFault(f"no workload {name!r} in the manifests")
    chosen: dict[str, Any] = min(named, key=_order)
    return dict(chosen)


def _order(item: Mapping[str, Any]) -> int:
    return KINDS.index(item["kind"]) if item["kind"] in KINDS else len(KINDS)


def agent(manifests: Sequence[Mapping[str, Any]], subject: Subject | None = None) -> dict[str, Any]:
    """Return the agent's workload: the subject's ``kind`` and ``workload`` decide, where it names them.

    Else it is a StatefulSet before a Deployment before a DaemonSet before a Pod, and of two of a kind the one
    that runs under an account of its own: helpers have none. Raises SubjectFault if there is none, or none of
    the name.
    """
    kind, name = (subject.kind, subject.workload) if subject is not None else ("", "")
    every = [dict_of(each) for each in manifests]
    named = [each for each in every if kind in ("", each["kind"]) and name in ("", each["metadata"]["name"])]
    if subject is not None and subject.pod_selector and named and (kind or name):
        return named[0]
    if name and not named and subject is not None and subject.manifests.kustomize:
        named = _as_built(every, kind, name)
    if name and not any(pod_spec(each) for each in named):
        raise SubjectFault(f"the manifests hold no {kind or 'workload'} {name!r}", hint=_workloads(every))
    for wanted in (kind,) if kind else KINDS:
        found = [each for each in named if each["kind"] == wanted and pod_spec(each) is not None]
        if found:
            return min(found, key=partial(_unlike, container=subject.container if subject else ""))
    raise SubjectFault(f"the manifests hold no workload ({', '.join(KINDS)})")


def demand_named(manifests: Iterable[Mapping[str, Any]], subject: Subject) -> None:
    """Raise SubjectFault where no object is of the subject's ``kind`` and ``workload``."""
    every, kind, name = list(manifests), subject.kind, subject.workload
    named = [each for each in every if kind in ("", each["kind"]) and name in ("", each["metadata"]["name"])]
    if not named:
        told = " ".join([kind or "workload", *([repr(name)] if name else [])])
        raise SubjectFault(f"the manifests hold no {told}", hint=_workloads(every))
    containers = [one.get("name") for each in named for one in (pod_spec(each) or {}).get("containers") or ()]
    if subject.container and containers and subject.container not in containers:
        hint = nearest(subject.container, map(str, containers))
        raise SubjectFault(f"the agent's pod has no container {subject.container!r}", hint=hint)


def _unlike(item: Mapping[str, Any], container: str) -> tuple[bool, bool]:
    """Return what an agent's workload is not: without its container, or without an account."""
    spec = pod_spec(item) or {}
    names = {each.get("name") for each in spec.get("containers") or ()}
    return bool(container) and container not in names, not spec.get("serviceAccountName")


def _as_built(every: Sequence[dict[str, Any]], kind: str, name: str) -> list[dict[str, Any]]:
    """Return the one workload whose name kustomize has made of ``name``, by prefix or suffix; else none."""
    made = re.compile(rf"(.*[-.])?{re.escape(name)}([-.].*)?")
    pods = [each for each in every if kind in ("", each["kind"]) and pod_spec(each)]
    found = [each for each in pods if made.fullmatch(str(each["metadata"]["name"]))]
    return found if len(found) == 1 else []


def dict_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object itself: what is set in it is set in the manifest."""
    assert isinstance(manifest, dict)
    return manifest


def _workloads(manifests: Iterable[Mapping[str, Any]]) -> str:
    known = [f"{each['kind']} {each['metadata']['name']}" for each in manifests if pod_spec(each)]
    return f"there are: {', '.join(known)}" if known else "they make no pod"


def agent_container(manifests: Sequence[Mapping[str, Any]], subject: Subject) -> dict[str, Any]:
    """Return the agent's container in its workload, the first where the subject names none.

    Of a workload without a pod template it is a stand-in that nothing reads. Raises SubjectFault for a name
    that no container has.
    """
    spec = pod_spec(agent(manifests, subject)) or {}
    named: list[dict[str, Any]] = list(spec.get("containers") or [{}])
    if not subject.container:
        return named[0]
    found = [each for each in named if each.get("name") == subject.container]
    if not found and any(named):
        known = ", ".join(str(each.get("name")) for each in named)
        raise SubjectFault(f"no container {subject.container!r}", hint=f"there are: {known}")
    return found[0] if found else {}


def is_clustered(manifest: Mapping[str, Any], manifests: Iterable[Mapping[str, Any]] = ()) -> bool:
    """Return whether an object lives outside namespaces, by its definition where ``manifests`` hold it."""
    for each in manifests:
        spec = each.get("spec") or {}
        if each["kind"] == "CustomResourceDefinition" and spec["names"]["kind"] == manifest["kind"]:
            return bool(spec.get("scope") == "Cluster")
    return manifest["kind"] in CLUSTER_SCOPED


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
    """Have no workload make a pod that runs, in place: for what is asked of the other objects only.

    What cannot be told to make none makes pods that no node takes, and wants none of those that are there.
    """
    for each in manifests:
        if each["kind"] in ("StatefulSet", "Deployment", "ReplicaSet"):
            each["spec"]["replicas"] = 0
        elif each["kind"] in ("Job", "CronJob"):
            each["spec"]["suspend"] = True
        elif spec := pod_spec(each):
            spec["nodeSelector"] = {NO_NODE: "none"}
        if each["kind"] in ("DaemonSet", "ReplicaSet"):
            each["spec"]["selector"].setdefault("matchLabels", {})[NO_NODE] = "none"
            each["spec"]["template"].setdefault("metadata", {}).setdefault("labels", {})[NO_NODE] = "none"


def labels(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels of the pods that an object makes."""
    template = manifest if manifest["kind"] == "Pod" else _template(manifest)
    found = (template.get("metadata") or {}).get("labels") or {}
    return {name: value for name, value in found.items() if name != NO_NODE}


def missing_resources(manifests: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return what each container has no request or limit of, by "Kind/name/container"."""
    every, found = list(manifests), {}
    for where, container in containers(every, GROUPS[:2]):  # an ephemeral one cannot have any
        given = limited(container, every)
        wanted = [(kind, name) for kind in ("requests", "limits") for name in ("cpu", "memory")]
        found[where] = [f"{kind}.{name}" for kind, name in wanted if _is_nothing(given[kind].get(name))]
    return found


def limited(
    container: Mapping[str, Any], manifests: Iterable[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return the requests and limits of a container with what a LimitRange among the objects gives to all.

    Where it says no default, its maximum is the limit; a request is the limit, where nothing says another.
    """
    own = container.get("resources") or {}
    requests, limits = (dict(own.get(kind) or {}) for kind in ("requests", "limits"))
    ranges = [each for each in manifests if each["kind"] == "LimitRange"]
    for limit in (one for each in ranges for one in (each.get("spec") or {}).get("limits") or ()):
        if limit.get("type") == "Container":
            least, most, usual, asked = (
                limit.get(key) or {} for key in ("min", "max", "default", "defaultRequest")
            )
            requests = {**least, **most, **usual, **asked, **limits, **requests}
            limits = {**most, **usual, **limits}
    return {"requests": requests, "limits": limits}


def _is_nothing(amount: Any) -> bool:
    """Return whether an amount is none: to the kubelet a limit of 0 is no limit."""
    return not amount or bool(NOTHING.fullmatch(str(amount)))


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


def pulled(manifests: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the containers that ask a registry at each start, and why, by "Kind/name/container"."""
    found = {}
    for where, container in containers(manifests):
        policy, image = container.get("imagePullPolicy"), str(container.get("image", ""))
        if policy not in (None, "Never", "IfNotPresent"):
            found[where] = str(policy)
        elif policy is None and image and is_floating(image) and not is_filled_in(image):
            found[where] = f"{image} without a policy means Always"
    return found
