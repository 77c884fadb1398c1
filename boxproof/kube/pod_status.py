"""Waiting for a pod, and telling apart whose fault it is when it does not come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from boxproof.kube import pod_faults
from boxproof.kube.client import Kube, NotFound, Object
from pytest_claims import pace
from pytest_claims.faults import BoxproofError, DeadlineExceeded, EnvironmentFault, SubjectFault
from pytest_claims.recording.observations import record
from pytest_claims.waiting import NotYet, until

REVISION = "controller-revision-hash"
UPDATED = {  # in the status: pods that are new, how many there should be, how many there are
    "Deployment": ("updatedReplicas", "replicas", "replicas"),
    "DaemonSet": ("updatedNumberScheduled", "desiredNumberScheduled", "currentNumberScheduled"),
}
LOOK = 0.5  # seconds from one look at a pod to the next
IMAGE_LOOKS = 12  # at an image that does not come before it is believed
UNSCHEDULABLE_LOOKS = 16  # in a row before "unschedulable" is believed
UNBOUND_LOOKS = 120  # the same for want of a volume: on a busy machine a provisioner was seen to need 20 s
REFUSED_LOOKS = 6  # in a row before a pod that the API server will not have is believed
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
# volumes that are empty at first, or whose content is no secret by itself
HARMLESS = frozenset({"emptyDir", "ephemeral", "configMap", "downwardAPI", "projected", "image"})


class Ended(Exception):
    """The pod is in a state it will not leave by itself; the text says which."""


def condition(pod: Object, name: str) -> Object:
    """Return a pod's condition, {} if it has none of that name."""
    found = [each for each in pod.get("status", {}).get("conditions") or [] if each["type"] == name]
    return found[0] if found else {}


def is_ready(pod: Object) -> bool:
    """Return whether the pod is Ready and not on its way out."""
    return condition(pod, "Ready").get("status") == "True" and "deletionTimestamp" not in pod["metadata"]


def is_running(pod: Object, container: str) -> bool:
    """Return whether a container of the pod runs, and the pod is not on its way out."""
    found = pod.get("status", {}).get("containerStatuses") or []
    return "deletionTimestamp" not in pod["metadata"] and any(
        each["name"] == container and "running" in each.get("state", {}) for each in found
    )


def summary(pod: Object) -> str:
    """Return the pod's state in a few words, for the message of a deadline."""
    status = pod.get("status", {})
    parts = [str(status.get("phase", "unknown"))]
    for each in status.get("containerStatuses") or []:
        state = each.get("state", {})
        detail = (state.get("waiting") or state.get("terminated") or {}).get("reason", "running")
        parts.append(f"{each['name']} {detail}, {each.get('restartCount', 0)} restarts")
    unready = condition(pod, "ContainersReady").get("message") or condition(pod, "PodScheduled").get(
        "message"
    )
    return "; ".join([*parts, *([unready] if unready else [])])


def ready(
    kube: Kube,
    namespace: str,
    pod: str,
    timeout: float,
    *,
    reference_image: str = "",
    after: str = "",
    settled: Callable[[Object], bool] = is_ready,
) -> Object:
    """Wait until a pod is Ready and return it; ``timeout`` is seconds, ``after`` a uid that must be gone.

    ``settled`` says when it is far enough, where that is not Ready.

    Raises SubjectFault for a terminal state of the pod's own making, shown by a reference pod of
    ``reference_image`` that does become Ready on the same node; EnvironmentFault otherwise.
    """
    unschedulable = without_image = refused = 0

    def look() -> Object:
        nonlocal unschedulable, without_image, refused
        try:
            found = kube.get("Pod", pod, namespace)
        except NotFound:
            why = pod_faults.refused_now(kube, namespace, pod)
            refused = refused + 1 if why else 0
            if refused > REFUSED_LOOKS:
                raise Ended(f"the API refuses it: {why}") from None
            raise NotYet(f"no pod {pod}{pod_faults.said_of(kube, namespace)}") from None
        if found["metadata"]["uid"] == after:
            raise NotYet("the old pod is still there")
        if "deletionTimestamp" in found["metadata"]:  # how it ends says nothing of the one that comes
            raise NotYet("the pod before is on its way out")
        if settled(found):
            return found
        scheduled = condition(found, "PodScheduled")
        unschedulable = unschedulable + 1 if scheduled.get("reason") == "Unschedulable" else 0
        without_image += pod_faults.of_an_image(found)
        reason = pod_faults.terminal(found)
        if reason and (not pod_faults.of_an_image(found) or without_image > IMAGE_LOOKS * pace.factor()):
            raise Ended(reason)
        if unschedulable > _patience(said := scheduled.get("message", "")) * pace.factor():
            if pod_faults.of_a_full_cluster(kube, found, said):
                raise NotYet(f"the cluster is full: {said}")
            raise Ended(f"Unschedulable: {said}")
        raise NotYet(pod_faults.passing(found) or summary(found))

    what = f"pod {namespace}/{pod} is Ready"
    try:
        return until(look, timeout=timeout, what=what, every=LOOK)
    except DeadlineExceeded as late:
        if not reference_image or not (reason := _own_delay(kube, namespace, pod)):
            raise
        reason = f"{reason}; {late.message}"
    except Ended as end:
        reason = str(end)
    raise blame(kube, f"{namespace}/{pod}: {reason}", kube.find("Pod", pod, namespace) or {}, reference_image)


def _own_delay(kube: Kube, namespace: str, pod: str) -> str:
    """Return why a pod that did not come in time may itself be the reason, "" where it cannot be.

    Its containers run and it never says that it is ready, or the API refuses to have it.
    """
    found = kube.find("Pod", pod, namespace)
    if found is None:
        said = pod_faults.said_of(kube, namespace)
        return f"the API refuses it{said}" if pod_faults.REFUSED.search(said) else ""
    started = found.get("status", {}).get("containerStatuses") or []
    if pod_faults.passing(found) or "deletionTimestamp" in found["metadata"]:
        return ""
    if condition(found, "PodScheduled").get("reason") == "Unschedulable":
        return ""
    if started and all("running" in each.get("state", {}) for each in started):
        return "it runs and never becomes Ready"
    return ""


def _patience(message: str) -> int:
    """Return for how many looks a pod may be unschedulable, by what the scheduler says of it."""
    return UNBOUND_LOOKS if "persistentvolumeclaim" in message.lower() else UNSCHEDULABLE_LOOKS


def rolled_to(kube: Kube, kind: str, name: str, namespace: str, pod: str, *, timeout: float) -> None:
    """Wait until a workload's pods are of its newest revision: of a StatefulSet its ``pod`` alone.

    Kinds without revisions are not waited for.

    Right after a change the old pod is still there and Ready. One of an older revision that is not Ready
    is deleted: the controller waits for it for ever. A pod that the API server refuses is not waited for:
    ``ready`` says whose fault that is. Raises DeadlineExceeded.
    """
    if kind in UPDATED:
        _replaced(kube, kind, name, namespace, timeout)
    if kind != "StatefulSet":
        return
    refused = 0

    def look() -> bool:
        nonlocal refused
        live = kube.get(kind, name, namespace)
        status = live.get("status", {})
        if status.get("observedGeneration", 0) < live["metadata"]["generation"]:
            raise NotYet("the controller has not seen the change")
        found = kube.find("Pod", pod, namespace)
        if found is None:
            refused = refused + 1 if pod_faults.refused_now(kube, namespace, pod) else 0
            if refused > REFUSED_LOOKS:
                return True
            raise NotYet(f"no pod {pod}{pod_faults.said_of(kube, namespace)}")
        if found["metadata"].get("labels", {}).get(REVISION) == status.get("updateRevision"):
            return True
        if not is_ready(found) and "deletionTimestamp" not in found["metadata"]:
            kube.delete([found])
        raise NotYet("the pod of the revision before is still there")

    until(look, timeout=timeout, what=f"{namespace}/{pod} is of the newest revision")


def _replaced(kube: Kube, kind: str, name: str, namespace: str, timeout: float) -> None:
    """Wait until a Deployment or DaemonSet has as many pods as it should, all of them new."""
    new, wanted, present = UPDATED[kind]

    def look() -> bool:
        live = kube.get(kind, name, namespace)
        status = live.get("status", {})
        if status.get("observedGeneration", 0) < live["metadata"]["generation"]:
            raise NotYet("the controller has not seen the change")
        asked = live["spec"].get("replicas", 1) if wanted == "replicas" else status.get(wanted, 0)
        have = status.get(new, 0)
        if have != asked or status.get(present, 0) != asked:
            raise NotYet(f"{have} of {asked} pods are new{pod_faults.said_of(kube, namespace)}")
        return True

    until(look, timeout=timeout, what=f"{kind} {namespace}/{name} has new pods only")


def blame(kube: Kube, reason: str, pod: Object, reference_image: str) -> BoxproofError:
    """Return SubjectFault if the environment is shown to be sound, else EnvironmentFault.

    The reference pod asks for what ``pod`` asks for, and where that lacks its image it is pulled anew.
    """
    if not kube.alive():
        return EnvironmentFault(f"{reason}; and the API server does not answer")
    if not reference_image:
        return EnvironmentFault(f"{reason}; no reference pod to tell whose fault it is")
    node = pod.get("spec", {}).get("nodeName", "")
    if not node and (large := pod_faults.too_large(kube, pod)):
        return SubjectFault(f"{reason}; no node has what it asks for: {large}")
    from boxproof.probes.pods import probe_pods  # the reference pod is one of the probe's

    asks = pod_faults.requests_of(pod) if not node else ()
    try:
        probe_pods.reference(kube, reference_image, node, requests=asks, pulled=pod_faults.of_an_image(pod))
    except EnvironmentFault as fault:
        return EnvironmentFault(
            f"{reason}; a reference pod on {node or 'any node'} fails too: {fault.message}"
        )
    return SubjectFault(reason)


def gone(kube: Kube, kind: str, name: str, namespace: str | None = None, *, timeout: float = 90) -> None:
    """Wait until an object no longer exists; raises DeadlineExceeded."""
    where = f"{namespace}/{name}" if namespace else name
    until(
        lambda: kube.find(kind, name, namespace) is None,
        timeout=timeout,
        what=f"{kind} {where} is gone",
        every=0.5,
    )


def rolled_out(kube: Kube, kind: str, name: str, namespace: str, *, timeout: float = 120) -> None:
    """Wait until all pods of a DaemonSet are new and available; raises DeadlineExceeded."""

    def look() -> bool:
        live = kube.get(kind, name, namespace)
        status, wanted = live["status"], live["status"].get("desiredNumberScheduled", 0)
        counts = [status.get(each, 0) for each in ("updatedNumberScheduled", "numberAvailable")]
        if status.get("observedGeneration", 0) < live["metadata"]["generation"] or counts != [wanted] * 2:
            raise NotYet(f"{counts} of {wanted}")
        return True

    until(look, timeout=timeout, what=f"{kind} {name} is rolled out", every=0.5)


def first(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the container that starts before the others; a pod without init containers has its main one."""
    return dict([*(spec.get("initContainers") or []), *spec["containers"]][0])


def gate_ended(pod: Mapping[str, Any]) -> bool:
    """Return whether the first container has ended well."""
    name = first(pod["spec"])["name"]
    for each in _statuses(pod):
        if each["name"] == name:
            return bool(each.get("state", {}).get("terminated", {}).get("exitCode") == 0)
    return False


def started(pod: Mapping[str, Any]) -> list[str]:
    """Return the containers that have started so far, in the pod's order; an observation."""
    names = [each["name"] for each in _statuses(pod) if _began(each)]
    record("started", str(pod["metadata"]["name"]), names)
    return names


def secrets_of(spec: Mapping[str, Any], container: Mapping[str, Any]) -> list[str]:
    """Return what a container is given of Secrets and of the account's token; an observation.

    A volume that outlives the pod counts, by its claim's template too: the agent's login is on one. In a spec
    as written the token counts, which the API server mounts wherever nothing else is in its place.
    """
    found = [f"env {each['name']}" for each in container.get("env") or [] if "secretKeyRef" in _from(each)]
    found += [f"env from {each['secretRef']['name']}" for each in _all(container) if "secretRef" in each]
    mounts = {each["name"]: each["mountPath"] for each in container.get("volumeMounts") or []}
    found += [
        f"volume {each['name']}"
        for each in spec.get("volumes") or []
        if each["name"] in mounts and _is_secret(each)
    ]
    known = {each["name"] for each in spec.get("volumes") or []}
    found += [f"volume {each}, by a claim's template" for each in mounts if each not in known]
    if spec.get("automountServiceAccountToken", True) and ACCOUNT not in mounts.values():
        found.append("the account's token")
    record("secrets of a container", str(container["name"]), found, decides=bool(found))
    return found


def _statuses(pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _began(status: Mapping[str, Any]) -> bool:
    now = status.get("state", {})
    return "running" in now or "terminated" in now or status.get("restartCount", 0) > 0


def _from(variable: Mapping[str, Any]) -> Mapping[str, Any]:
    return variable.get("valueFrom") or {}


def _all(container: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(container.get("envFrom") or [])


def _is_secret(volume: Mapping[str, Any]) -> bool:
    """Return whether a volume may hold a secret: any but those that are empty at first, or are no secrets."""
    parts = (volume.get("projected") or {}).get("sources") or []
    projected = any("secret" in each or "serviceAccountToken" in each for each in parts)
    return projected or not set(volume) & HARMLESS
