"""Why a pod is not Ready, in the words of the cluster: its state, its last warnings, its last log lines."""

from __future__ import annotations

from boxproof.kube import pod_status
from boxproof.kube.client import Kube, Object
from pytest_claims.faults import EnvironmentFault

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
