"""Whose fault it is that a pod does not come: the subject, the machine, the cluster."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from boxproof.kube import pod_status
from boxproof.kube.client import ApiError, Kube, NotFound, Object
from pytest_claims.faults import EnvironmentFault

IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"})
CONFIGURATION = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
RESTARTS = 2  # from here on a crash loop is the subject's state, not a slow start
PASSING = re.compile(  # what a kubelet says that tries again: a late runtime, a registry that is not well
    r"timed out|time-?out|deadline ?exceeded|failed to reserve (container|sandbox) name|is reserved for"
    r"|too ?many ?requests|\b429\b|\b50[0234]\b|service unavailable|bad gateway|pull QPS exceeded"
    r"|connection reset|unexpected EOF|TLS handshake|temporary failure in name resolution|server misbehaving"
    r"|no space left on device|cannot allocate memory|too many open files|resource temporarily unavailable"
    r"|certificate has expired or is not yet valid|network is unreachable|broken pipe",
    re.IGNORECASE,
)
OF_THE_NODE = frozenset({  # reasons of a failed pod: https://kubernetes.io/docs/concepts/scheduling-eviction/
    "Evicted", "OutOfcpu", "OutOfmemory", "OutOfpods", "OutOfephemeral-storage", "NodeShutdown", "Shutdown",
    "Terminated", "NodeLost", "NodeAffinity", "Preempting", "UnexpectedAdmissionError",
    "TopologyAffinityError",
})  # fmt: skip
INSUFFICIENT = "Insufficient "  # a scheduler's word for nodes that lack a resource
OWN_LIMIT = re.compile(r"exceed(s|ed) (the total limit|its local ephemeral storage limit|the limit)")


def passing(pod: Object) -> str:
    """Return what holds a pod up that is not of its making and may pass, or ""."""
    for each, waiting in _waiting(pod):
        said = waiting.get("message", "")
        if waiting.get("reason") in IMAGE | CONFIGURATION and PASSING.search(said):
            return f"{each['name']}: {waiting['reason']}: {said}"
    status = pod.get("status", {})
    if status.get("phase") == "Failed" and status.get("reason") in OF_THE_NODE:
        said = f"{status['reason']}: {status.get('message', '')}".rstrip(": ")
        return "" if OWN_LIMIT.search(said) else said
    return ""


def terminal(pod: Object) -> str:
    """Return why the pod will not become Ready by itself, by its own doing, or ""."""
    if passing(pod):
        return ""
    for each, waiting in _waiting(pod):
        reason = waiting.get("reason", "")
        if reason in IMAGE | CONFIGURATION:
            return f"{each['name']}: {reason}: {waiting.get('message', '')}".rstrip(": ")
        if reason == "CrashLoopBackOff" and each.get("restartCount", 0) >= RESTARTS:
            return f"{each['name']}: CrashLoopBackOff after {each['restartCount']} restarts{_last(each)}"
    status = pod.get("status", {})
    if status.get("phase") == "Failed":
        return f"Failed: {status.get('reason', '')} {status.get('message', '')}".strip()
    return ""


def of_an_image(pod: Object) -> bool:
    """Return whether a container waits for its image: one look does not tell a slow registry from none."""
    return any(waiting.get("reason") in IMAGE for _, waiting in _waiting(pod))


def requests_of(pod: Object) -> list[Mapping[str, str]]:
    """Return what each container of a pod asks for."""
    listed = pod.get("spec", {}).get("containers") or ()
    return [each.get("resources", {}).get("requests") or {} for each in listed]


def too_large(kube: Kube, pod: Object) -> str:
    """Return what no node of the cluster has however empty it is, of all that a pod asks for, or ""."""
    wanted: dict[str, Any] = {}
    for requests in requests_of(pod):
        for name, amount in requests.items():
            wanted[name] = wanted.get(name, 0) + _number(amount)
    nodes = [each.get("status", {}).get("allocatable") or {} for each in kube.list("Node")]
    return ", ".join(f"{name} {amount}" for name, amount in wanted.items() if amount > _most(nodes, name))


def of_a_full_cluster(kube: Kube, pod: Object, said: str) -> bool:
    """Return whether what a scheduler said of a pod is that others have the room now that it would fit in."""
    return INSUFFICIENT in said and not too_large(kube, pod)


def _most(nodes: Iterable[Mapping[str, str]], name: str) -> Any:
    return max((_number(each[name]) for each in nodes if name in each), default=0)


def _number(amount: str) -> Any:
    from kubernetes.utils.quantity import parse_quantity

    return parse_quantity(amount)


def _waiting(pod: Object) -> list[tuple[Object, Object]]:
    """Return each container's status with the state it waits in."""
    status = pod.get("status", {})
    listed = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
    return [(each, each.get("state", {}).get("waiting") or {}) for each in listed]


def _last(status: Mapping[str, Any]) -> str:
    ended = status.get("lastState", {}).get("terminated", {})
    return f", last exit code {ended['exitCode']}" if "exitCode" in ended else ""


REFUSED = re.compile(
    r"violates PodSecurity|is invalid|denied the request|exceeded quota|is forbidden: .*unable to"
)
LASTING = re.compile(r"violates PodSecurity|is invalid|denied the request")


def said_of(kube: Kube, namespace: str) -> str:
    """Return what keeps a controller from creating pods, for the message of a deadline; "" for nothing."""
    told = _refusals(kube, namespace)
    return f": {told[-1].get('message', '')}" if told else ""


def refused_now(kube: Kube, namespace: str, pod: str) -> str:
    """Return why the API server refuses ``pod`` to its controller at this moment, "" where it does not.

    An event may be about a template or a namespace that was mended since, so the pod is asked for once
    more, without being made (``dryRun``). Pod Security, admission and validation judge such a request alike
    (kubernetes.io, API concepts: dry-run); a quota does too, but what fills it may go.
    """
    events = (each for each in _refusals(kube, namespace) if LASTING.search(str(each.get("message", ""))))
    about = next((each["involvedObject"] for each in events if _makes(each["involvedObject"], pod)), None)
    if about is None:
        return ""
    try:
        owner = kube.get(about["kind"], about["name"], namespace)
        body = _pod_of(owner, namespace, pod)
        kube.post(kube.path("Pod", "", namespace), body, query={"dryRun": "All"})
    except NotFound:
        return ""
    except ApiError as error:
        return str(error) if LASTING.search(str(error)) else ""
    return ""


def _refusals(kube: Kube, namespace: str) -> list[Object]:
    """Return the events of pods that could not be created."""
    return [each for each in kube.list("Event", namespace) if each.get("reason") == "FailedCreate"]


def _makes(controller: Object, pod: str) -> bool:
    """Return whether a pod is a controller's by its name: another one's refusal is not its own."""
    return f"{pod}-".startswith(f"{controller['name']}-")


def _pod_of(owner: Object, namespace: str, name: str) -> Object:
    """Return the pod that a controller makes of its template; a claim's volume is one by name."""
    template = owner["spec"]["template"]
    claims = [each["metadata"]["name"] for each in owner["spec"].get("volumeClaimTemplates") or []]
    volumes = [
        {"name": each, "persistentVolumeClaim": {"claimName": f"{each}-{name}"}} for each in claims
    ]  # as the controller of a StatefulSet names them
    spec = template["spec"] | {"volumes": [*(template["spec"].get("volumes") or []), *volumes]}
    meta = dict(template.get("metadata") or {}) | {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


EVENTS = 5  # of the pod and its workload, the newest
LINES = 10  # of each container's log


def why(kube: Kube, namespace: str, pod: str) -> str:
    """Return lines that say how a pod stands; what cannot be had is said as well, nothing is raised."""
    try:
        found = kube.find("Pod", pod, namespace)
        lines = [f"pod: {pod_status.summary(found)}" if found else "pod: there is none"]
        lines += [f"event: {each}" for each in warnings(kube, namespace, pod)]
        for each in (found or {}).get("spec", {}).get("containers", ()):
            lines += [f"{each['name']}: {line}" for line in _log(kube, namespace, pod, each["name"])]
    except EnvironmentFault as fault:
        return f"and nothing more is known: {fault.message}"
    return "\n".join(lines)


def warnings(kube: Kube, namespace: str, pod: str) -> list[str]:
    """Return the newest warnings about a pod and its workload, oldest first."""
    workload = pod.rpartition("-")[0]
    about = [
        each
        for each in kube.list("Event", namespace)
        if each.get("type") == "Warning" and each.get("involvedObject", {}).get("name") in (pod, workload)
    ]
    return [_said(each) for each in sorted(about, key=_when)[-EVENTS:]]


def _said(event: Object) -> str:
    times = f" ({event['count']} times)" if event.get("count", 1) > 1 else ""
    return " ".join(f"{event.get('reason', '')}: {event.get('message', '')}{times}".split())


def _when(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")


def _log(kube: Kube, namespace: str, pod: str, container: str) -> list[str]:
    """Return the last lines of a container that runs, or of the one before where it has not begun."""
    for previous in (False, True):
        try:
            text = kube.logs(namespace, pod, container, previous=previous)
        except EnvironmentFault:
            continue
        if text.strip():
            return text.rstrip().splitlines()[-LINES:]
    return ["no log"]
