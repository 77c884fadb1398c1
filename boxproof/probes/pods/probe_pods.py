"""Pods of the probe image: twins of the agent, reference pods, a probe beside the agent in its pod."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from boxproof.core.process import Result
from boxproof.core.session import ROLE_LABEL, RUN_LABEL
from boxproof.kube import pod_status
from boxproof.kube.client import Conflict, Kube, Object
from boxproof.kube.exec import exec_in
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import NotYet, until

PROGRAM = "/usr/local/bin/probe"
CONTAINER = "probe"
NOBODY = 1000
CONFINED: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": NOBODY,
    "runAsGroup": NOBODY,
    "seccompProfile": {"type": "RuntimeDefault"},
}
INSIDE = "/proc/1/root"  # the files of a target, as its sidecar has them
START = 60.0  # seconds a pod of ours gets
COMMAND = 60.0  # seconds a command in it gets


@dataclass(frozen=True)
class Twin:
    """A pod of the probe image."""

    kube: Kube
    namespace: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    node: str = ""
    address: str = ""

    @property
    def label(self) -> str:
        """How it is called in observations."""
        shown = ",".join(f"{key}={value}" for key, value in self.labels.items() if key != RUN_LABEL)
        return f"twin in {self.namespace} ({shown or 'no labels'})"

    def exec(self, argv: Sequence[str], *, timeout: float = COMMAND) -> Result:
        """Run a command in it; errors as ``exec_in``."""
        return exec_in(self.kube, self.namespace, self.name, CONTAINER, argv, timeout=timeout)

    def probe(self, *words: str, timeout: float = COMMAND) -> Result:
        """Run the probe program."""
        return self.exec([PROGRAM, *words], timeout=timeout)

    def relabel(self, labels: Mapping[str, str | None]) -> None:
        """Change labels of the running pod; None removes one."""
        path = self.kube.path("Pod", self.name, self.namespace)
        self.kube.patch(path, {"metadata": {"labels": dict(labels)}})

    def remove(self) -> None:
        """Delete the pod, without waiting."""
        pod = {"kind": "Pod", "metadata": {"name": self.name, "namespace": self.namespace}}
        self.kube.delete([pod], grace=0)


@dataclass(frozen=True)
class Sidecar:
    """The probe as an ephemeral container in a pod; with a ``target`` it sees that container's processes."""

    kube: Kube
    namespace: str
    pod: str
    name: str
    label: str
    address: str

    def exec(self, argv: Sequence[str], *, timeout: float = COMMAND) -> Result:
        """Run a command in it; errors as ``exec_in``."""
        return exec_in(self.kube, self.namespace, self.pod, self.name, argv, timeout=timeout)

    def probe(self, *words: str, timeout: float = COMMAND) -> Result:
        """Run the probe program."""
        return self.exec([PROGRAM, *words], timeout=timeout)


def pull_policy(image: str) -> str:
    """Return the policy for an image of ours: one that names a registry is pulled, another never is."""
    return "IfNotPresent" if "/" in image else "Never"


def manifest(
    name: str,
    namespace: str,
    image: str,
    *,
    labels: Mapping[str, str] | None = None,
    node: str = "",
    security: Mapping[str, Any] | None = None,
    spec: Mapping[str, Any] | None = None,
) -> Object:
    """Return a pod of the probe image that idles; ``security`` and ``spec`` are merged over the defaults."""
    container = {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": pull_policy(image),
        "command": [PROGRAM, "idle"],
        "securityContext": dict(CONFINED) | dict(security or {}),
    }
    made: dict[str, Any] = {
        "containers": [container],
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "tolerations": [{"operator": "Exists", "effect": "NoSchedule"}],
    }
    if node:
        made["nodeName"] = node
    meta = {"name": name, "namespace": namespace, "labels": dict(labels or {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": made | dict(spec or {})}


def resting(name: str, namespace: str, image: str) -> Object:
    """Return a Deployment of the probe image without any pod: something to roll out."""
    pod = manifest(name, namespace, image, labels={"boxproof.dev/resting": name})
    template = {"metadata": {"labels": pod["metadata"]["labels"]}, "spec": pod["spec"]}
    template["spec"]["restartPolicy"] = "Always"  # the only one a Deployment may have
    selector = {"matchLabels": template["metadata"]["labels"]}
    meta = {"name": name, "namespace": namespace}
    spec = {"replicas": 0, "selector": selector, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def start(kube: Kube, pod: Object, *, wait: bool = True) -> Twin:
    """Create a pod from ``manifest`` and return it at Ready; raises EnvironmentFault if it does not come."""
    meta = pod["metadata"]
    kube.create(pod)
    twin = Twin(kube, meta["namespace"], meta["name"], meta.get("labels", {}))
    return settled(twin) if wait else twin


def settled(twin: Twin) -> Twin:
    """Return a twin at Ready, with its address and node; raises EnvironmentFault."""
    live = pod_status.ready(twin.kube, twin.namespace, twin.name, START)
    return Twin(
        twin.kube, twin.namespace, twin.name, twin.labels, live["spec"]["nodeName"], live["status"]["podIP"]
    )


def reference(
    kube: Kube,
    image: str,
    node: str,
    *,
    requests: Sequence[Mapping[str, str]] = (),
    pulled: bool = False,
) -> None:
    """Show that a pod of ours becomes Ready on ``node`` ("" is any); raises EnvironmentFault if not.

    The scheduler places it: a full node or cluster is no reference. It asks for what ``requests`` say, one
    container each; with ``pulled`` its image comes from its registry anew. It is in the namespace that the
    kubeconfig names.
    """
    name, labels = f"boxproof-reference-{secrets.token_hex(3)}", {ROLE_LABEL: "reference"}
    pod = manifest(name, kube.namespace, image, labels=labels)
    (container,) = pod["spec"]["containers"]
    if pulled and pull_policy(image) != "Never":
        container["imagePullPolicy"] = "Always"
    pod["spec"]["containers"] = [container] + [
        container | {"name": f"reference-{number}", "resources": {"requests": dict(each)}}
        for number, each in enumerate(filter(None, requests), 1)
    ]
    if node:
        here = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
        wanted = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [here]}}
        pod["spec"]["affinity"] = {"nodeAffinity": wanted}
    twin = Twin(kube, kube.namespace, name)
    try:
        start(kube, pod)
    finally:
        twin.remove()


def beside(
    kube: Kube,
    namespace: str,
    pod: str,
    image: str,
    *,
    target: str = "",
    label: str = "",
    uid: int = NOBODY,
    gid: int = NOBODY,
) -> Sidecar:
    """Return the probe running in ``pod``'s network, started if need be; the pod's restarts do not end it.

    With the uid and gid of the ``target``'s first process its files are below INSIDE. Raises EnvironmentFault
    if it does not start.
    """
    name = f"boxproof-{target or 'net'}" + (f"-{uid}-{gid}" if (uid, gid) != (NOBODY, NOBODY) else "")
    live = kube.get("Pod", pod, namespace)
    path = kube.path("Pod", pod, namespace)
    if not _running(live, name):
        if any(each["name"] == name for each in live["spec"].get("ephemeralContainers") or []):
            name = f"{name}-{secrets.token_hex(2)}"  # an ended one cannot be started again
        item = {
            "name": name,
            "image": image,
            "imagePullPolicy": pull_policy(image),
            "command": [PROGRAM, "idle"],
            "securityContext": _confined(uid, gid),
        } | ({"targetContainerName": target} if target else {})
        body = {"spec": {"ephemeralContainers": [item]}}
        try:
            kube.patch(f"{path}/ephemeralcontainers", body, "strategic-merge-patch+json")
        except Conflict:  # another worker was quicker: its container serves us too
            return beside(kube, namespace, pod, image, target=target, label=label, uid=uid, gid=gid)
        live = until(
            lambda: _look(kube, namespace, pod, name),
            timeout=START,
            what=f"the probe beside {namespace}/{pod} runs",
        )
    address = live.get("status", {}).get("podIP", "")
    return Sidecar(kube, namespace, pod, name, label or f"{namespace}/{pod}", address)


def _confined(uid: int, gid: int) -> dict[str, Any]:
    given = dict(CONFINED) | {"runAsUser": uid, "runAsGroup": gid}
    if uid:
        return given
    # root's first process has more capabilities, and its files are seen by who may trace it alone
    return given | {"runAsNonRoot": False, "capabilities": {"add": ["SYS_PTRACE"]}}


def _look(kube: Kube, namespace: str, pod: str, name: str) -> Object:
    live = kube.get("Pod", pod, namespace)
    if _running(live, name):
        return live
    shown = [each.get("state") for each in _ephemeral(live) if each["name"] == name]
    if shown and "terminated" in (shown[0] or {}):
        raise EnvironmentFault(f"the probe beside {namespace}/{pod} ended: {shown[0]}")
    raise NotYet(str(shown))


def _running(pod: Object, name: str) -> bool:
    return any(each["name"] == name and "running" in each.get("state", {}) for each in _ephemeral(pod))


def _ephemeral(pod: Object) -> list[dict[str, Any]]:
    return pod.get("status", {}).get("ephemeralContainerStatuses") or []
