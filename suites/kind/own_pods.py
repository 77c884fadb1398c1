"""The pods that the box's own workloads made: probes of other checks stand in the same namespace."""

from __future__ import annotations

from boxproof.deployment.box import Box
from boxproof.kube.client import Object
from boxproof.subject.manifests import pod_specs


def of(box: Box) -> list[Object]:
    """Return them as they are in the cluster: a Deployment's belong to a ReplicaSet called after it."""
    names = [each["metadata"]["name"] for each in box.objects if pod_specs.pod_spec(each)]

    def made_by(pod: Object) -> list[str]:
        owners = [each["name"] for each in pod["metadata"].get("ownerReferences") or ()]
        return owners or [pod["metadata"]["name"]]

    return [
        pod
        for pod in box.kube.list("Pod", box.namespace)
        if any(owner == name or owner.startswith(f"{name}-") for owner in made_by(pod) for name in names)
    ]
