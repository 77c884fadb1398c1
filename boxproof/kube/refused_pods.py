"""Pods that the API server refuses to a controller: what the events say, and whether it is still so."""

from __future__ import annotations

import re

from boxproof.kube.client import ApiError, Kube, NotFound, Object

REFUSED = re.compile(
    r"violates PodSecurity|is invalid|denied the request|exceeded quota|is forbidden: .*unable to"
)


def said_of(kube: Kube, namespace: str) -> str:
    """Return what keeps a controller from creating pods, for the message of a deadline; "" for nothing."""
    told = _told(kube, namespace)
    return f": {told['message']}" if told else ""


def refused_now(kube: Kube, namespace: str, pod: str) -> str:
    """Return why the API server refuses ``pod`` to its controller at this moment, "" where it does not.

    An event may be about a template or a namespace that was mended since, so the pod is asked for once
    more, without being made (``dryRun``). Pod Security, quota and validation judge such a request alike
    (kubernetes.io, API concepts: dry-run).
    """
    told = _told(kube, namespace)
    if not told or not REFUSED.search(told["message"]):
        return ""
    about = told["involvedObject"]
    try:
        owner = kube.get(about["kind"], about["name"], namespace)
        body = _pod_of(owner, namespace, pod)
        kube.post(kube.path("Pod", "", namespace), body, query={"dryRun": "All"})
    except NotFound:
        return ""
    except ApiError as error:
        return str(error) if REFUSED.search(str(error)) else ""
    return ""


def _told(kube: Kube, namespace: str) -> Object | None:
    """Return the newest event of a pod that could not be created."""
    events = [each for each in kube.list("Event", namespace) if each.get("reason") == "FailedCreate"]
    return events[-1] | {"message": str(events[-1].get("message", ""))} if events else None


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
