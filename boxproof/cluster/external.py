"""A cluster that is not ours: what is asked of it before anything is made there, and what it is."""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path

from boxproof.cluster import cluster_info
from boxproof.cluster import kubeconfig as kubeconfigs
from boxproof.cluster.kubeconfig import Context
from boxproof.core.session import ClusterInfo
from boxproof.core.settings import Settings, kubeconfig_files
from boxproof.kube.client import ApiError, Kube
from pytest_claims.faults import BoxproofError, EnvironmentFault

ASK = 10.0  # seconds for an answer of a server that may be far away
REFUSED = (401, 403)
RIGHTS = (  # what a run does there: verb, group, resource, subresource
    ("create", "", "namespaces", ""),
    ("delete", "", "namespaces", ""),
    ("create", "rbac.authorization.k8s.io", "clusterroles", ""),
    ("create", "rbac.authorization.k8s.io", "clusterrolebindings", ""),
    ("create", "networking.k8s.io", "networkpolicies", ""),
    ("create", "", "pods", "exec"),
    ("patch", "", "pods", "ephemeralcontainers"),
    ("create", "", "services", "proxy"),
    ("create", "authorization.k8s.io", "subjectaccessreviews", ""),
)


def context(settings: Settings) -> Context:
    """Return the context that was asked for; raises UsageError."""
    return kubeconfigs.chosen(kubeconfig_files(settings.kubeconfig), settings.context)


def check(settings: Settings) -> None:
    """See, making nothing, that the cluster answers and lets us do what a run does there.

    Raises UsageError for a context that does not exist, EnvironmentFault otherwise.
    """
    found = context(settings)
    with tempfile.TemporaryDirectory(prefix="boxproof-kubeconfig-") as below:
        kube = Kube(str(kubeconfigs.write(found, Path(below) / "kubeconfig", "default")))
        try:
            kube.raw("/version", timeout=ASK)
            lacking = [each for each in RIGHTS if not _may(kube, *each)]
        except BoxproofError as fault:
            raise _unanswered(found, fault) from fault
        finally:
            kube.close()
    if lacking:
        shown = ", ".join(f"{verb} {'/'.join(filter(None, rest[1:]))}" for verb, *rest in lacking)
        hint = "name a context of an administrator (ClusterRole cluster-admin)"
        raise EnvironmentFault(f"the user of the context {found.name!r} may not: {shown}", hint=hint)


def _unanswered(found: Context, fault: BoxproofError) -> EnvironmentFault:
    hint = f"try kubectl --context {found.name} get --raw /version"
    if isinstance(fault, ApiError) and fault.status in REFUSED:
        text = (
            f"the API server of the context {found.name!r} refuses its user: {fault.message.splitlines()[0]}"
        )
        return EnvironmentFault(text, hint=hint)
    why = " ".join(fault.message.split())[:200]
    text = f"the API server of the context {found.name!r}, {found.server}, does not answer: {why}"
    return EnvironmentFault(text, hint=hint)


def _may(kube: Kube, verb: str, group: str, resource: str, subresource: str) -> bool:
    asked = {"verb": verb, "group": group, "resource": resource, "subresource": subresource}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked},
    }
    answer = kube.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body, timeout=ASK)
    return bool(answer.get("status", {}).get("allowed"))


def name_of(found: Context) -> str:
    """Return what the cluster is called in files and locks of ours: by its server, whatever the context."""
    key = hashlib.sha256(found.server.encode()).hexdigest()[:8]
    stem = re.sub(r"[^a-z0-9]+", "-", found.server.lower().partition("://")[2])[:24].strip("-")
    return f"at-{stem}-{key}" if stem else f"at-{key}"


def gather(found: Context, kubeconfig: str, kubectl: str) -> ClusterInfo:
    """Return what the live cluster is, as far as its API tells; raises EnvironmentFault."""
    kube = Kube(kubeconfig)
    nodes = kube.list("Node")
    if not nodes:
        raise EnvironmentFault(f"the cluster of the context {found.name!r} has no nodes")
    info = nodes[0]["status"]["nodeInfo"]
    runtime = str(info["containerRuntimeVersion"])
    first, *others = cluster_info.apiservers(kube)
    return ClusterInfo(
        name=name_of(found),
        kubeconfig=kubeconfig,
        nodes=tuple(sorted(str(each["metadata"]["name"]) for each in nodes)),
        kind="",
        kubernetes=str(kube.raw("/version")["gitVersion"]).removeprefix("v"),
        containerd=cluster_info.runtime_version(runtime) if runtime.startswith("containerd://") else "",
        kernel=str(info["kernelVersion"]),
        cni=cluster_info.network(kube),
        apiserver=first,
        kubectl=kubectl,
        context=found.name,
        service=f"{kube.get('Service', 'kubernetes', 'default')['spec']['clusterIP']}:443",
        endpoints=tuple(others),
    )
