"""An instance whose ConfigMaps change, and that is restarted to take notice."""

from __future__ import annotations

from boxproof.deployment.box import Box
from boxproof.kube.client import Kube, NotFound
from pytest_claims.faults import SubjectFault
from pytest_claims.waiting import NotYet, until


def changed(kube: Kube, box: Box, key: str, value: str) -> None:
    """Set a key of the ConfigMap that has it; raises SubjectFault if none of the instance's has."""
    for each in box.objects:
        if each["kind"] == "ConfigMap" and key in each.get("data", {}):
            path = kube.path("ConfigMap", each["metadata"]["name"], box.namespace)
            kube.patch(path, {"data": {key: value}})
            return
    raise SubjectFault(f"no ConfigMap has {key}")


def restarted(box: Box, *, timeout: float = 120) -> None:
    """Delete the pod and wait until the next one's container runs, Ready or not; raises DeadlineExceeded."""
    old = box.pod_object()["metadata"]["uid"]
    box.delete_pod(wait=False)

    def runs() -> bool:
        pod = box.pod_object()
        if pod["metadata"]["uid"] == old:
            raise NotYet("the old pod is there")
        if "running" not in box.status().get("state", {}):
            raise NotYet(str(pod["status"].get("phase")))
        return True

    until(runs, timeout=timeout, what=f"{box.label} runs again", transient=(NotFound,))
