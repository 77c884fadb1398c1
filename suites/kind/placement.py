"""Where a workload's pods may land, and whether the image they name is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from boxproof.kube.client import Kube, NotFound, Object
from boxproof.kube.pod_status import condition
from boxproof.probes.pods import helper_pods
from pytest_claims.recording import observations
from pytest_claims.waiting import until

SCHEDULING = ("nodeSelector", "affinity", "tolerations", "priorityClassName", "runtimeClassName")
HOSTNAME = "kubernetes.io/hostname"
NOWHERE, LACKS, HAS = "not schedulable", "no image", "has the image"
START = 60.0  # seconds until a pod runs, cannot, or has no place


def placements(
    kube: Kube, namespace: str, spec: Mapping[str, Any], image: str, nodes: Sequence[str]
) -> dict[str, str]:
    """Return for each node whether a pod of ours that is scheduled as ``spec`` is finds ``image`` there.

    The image is never pulled, and need not hold a program: that is missed later. An observation.
    """
    pods = {node: _pod(namespace, spec, image, node) for node in nodes}
    with helper_pods.applied(kube, *pods.values()):
        found = {node: _outcome(kube, each) for node, each in pods.items()}
    observations.record("placements", image, found, decides=sorted(found.values()))
    return found


def _pod(namespace: str, spec: Mapping[str, Any], image: str, node: str) -> Object:
    name = helper_pods.unique("boxproof-placed")
    made = helper_pods.pod(name, namespace, image, helper_pods.IDLE, imagePullPolicy="Never")
    made["spec"] |= {each: spec[each] for each in SCHEDULING if spec.get(each)}
    made["spec"]["nodeSelector"] = {**(spec.get("nodeSelector") or {}), HOSTNAME: node}
    return made


def _outcome(kube: Kube, pod: Object) -> str:
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    look = partial(_state, kube, namespace, name)
    return until(look, timeout=START, what=f"outcome of pod {name}", transient=(NotFound,))


def _state(kube: Kube, namespace: str, name: str) -> str:
    found = kube.get("Pod", name, namespace)
    if condition(found, "PodScheduled").get("reason") == "Unschedulable":
        return NOWHERE
    return LACKS if helper_pods.state_of(found) == LACKS else HAS
