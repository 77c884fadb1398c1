"""What nodes have and pods run, held against one build; and bringing it there where it is not."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from boxproof.cluster.images import load
from boxproof.core.session import ClusterInfo, EngineInfo, ImageInfo
from boxproof.kube import pod_status
from boxproof.kube.client import Kube, Object
from pytest_claims.faults import UsageError
from pytest_claims.pace import Deadline

NOTHING = "nothing"


@dataclass(frozen=True)
class Stale:
    """A node or a pod and what it has instead of the build: an image id, or "nothing"."""

    where: str
    has: str
    namespace: str = ""
    workload: str = ""

    def __str__(self) -> str:
        return f"{self.where} has {self.has}"


def stale(engine: EngineInfo, cluster: ClusterInfo, image: ImageInfo, namespace: str) -> list[Stale]:
    """Return what of the nodes and of a namespace's StatefulSets has other content than ``image``.

    Only containers that name the image's repository count. Raises UsageError if there are none.
    """
    found = []
    for node in cluster.nodes:
        has = load.node_image_id(engine, node, image.reference)
        if has != image.config_digest:
            found.append(Stale(f"node {node}", has or NOTHING))
    kube = Kube(cluster.kubeconfig)
    workloads = [each for each in kube.list("StatefulSet", namespace) if _containers(each, image)]
    if not workloads:
        raise UsageError(f"nothing in {namespace} runs {_repository(image)}", hint="inv deploy")
    for each in workloads:
        name = each["metadata"]["name"]
        has = _runs(engine, kube, namespace, name, image)
        if has != image.config_digest:
            found.append(Stale(f"pod {namespace}/{name}-0", has or NOTHING, namespace, name))
    return found


def mend(
    engine: EngineInfo, cluster: ClusterInfo, image: ImageInfo, found: Sequence[Stale], *, timeout: float
) -> None:
    """Load the build, set it where another is named, and replace the pods; ``timeout`` is seconds for each.

    Raises SubjectFault or EnvironmentFault if a pod does not become Ready with it.
    """
    load.load(engine, cluster, [image.reference])
    kube = Kube(cluster.kubeconfig)
    for each in found:
        if each.workload:
            _renew(kube, each, image, timeout)


def _renew(kube: Kube, stale: Stale, image: ImageInfo, timeout: float) -> None:
    deadline = Deadline(timeout)
    live = kube.get("StatefulSet", stale.workload, stale.namespace)
    named = [{"name": each, "image": image.reference} for each in _containers(live, image)]
    template = {
        "metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": secrets.token_hex(8)}},
        "spec": {"containers": named},
    }
    path = kube.path("StatefulSet", stale.workload, stale.namespace)
    kube.patch(path, {"spec": {"template": template}}, "strategic-merge-patch+json")
    pod = f"{stale.workload}-0"
    pod_status.rolled_to(kube, "StatefulSet", stale.workload, stale.namespace, pod, timeout=timeout)
    pod_status.ready(kube, stale.namespace, pod, deadline.rest)


def _runs(engine: EngineInfo, kube: Kube, namespace: str, workload: str, image: ImageInfo) -> str:
    """Return the id of the image the first pod of a workload runs, "" if it runs none."""
    pod = kube.find("Pod", f"{workload}-0", namespace) or {}
    named = {each["name"] for each in pod.get("spec", {}).get("containers", ()) if _ours(each, image)}
    states_of = pod.get("status", {}).get("containerStatuses", ())
    for each in states_of:
        if each["name"] in named and each.get("imageID"):
            return load.node_image_id(engine, pod["spec"]["nodeName"], each["imageID"]) or str(
                each["imageID"]
            )
    return ""


def _containers(workload: Object, image: ImageInfo) -> list[str]:
    spec = workload["spec"]["template"]["spec"]
    return [str(each["name"]) for each in spec["containers"] if _ours(each, image)]


def _ours(container: Object, image: ImageInfo) -> bool:
    return str(container.get("image", "")).rpartition(":")[0] == _repository(image)


def _repository(image: ImageInfo) -> str:
    return image.reference.rpartition(":")[0]
