"""What became of claims for storage and of the files on them; whether a deleted pod comes back the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from boxproof.kube import pod_status
from boxproof.kube.client import Kube, NotFound, Object
from boxproof.probes.pods import helper_pods
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.recording import observations
from pytest_claims.waiting import NotYet, until

HOPELESS = ("ProvisioningFailed", "FailedBinding")  # events of a claim no storage class will serve

SMALL = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}


@dataclass(frozen=True)
class Binding:
    """Where a claim for storage has come to: its phase, why it stays there, whether its pod has a node."""

    phase: str
    reason: str = ""
    scheduled: bool = False


def binding(kube: Kube, namespace: str, claim: str, pod: str, *, timeout: float = 90) -> Binding:
    """Return the binding of ``claim`` once it is Bound or its storage class has refused it.

    A claim that is only slow is looked at until ``timeout`` seconds have passed.
    """
    last = Binding("none")

    def look() -> Binding:
        nonlocal last
        last = Binding(
            _phase(kube, namespace, claim), _refusal(kube, namespace, claim), _scheduled(kube, namespace, pod)
        )
        bound = last.phase == "Bound" and last.scheduled
        if not bound and not last.reason:
            raise NotYet(f"{last.phase}, pod {'has a' if last.scheduled else 'without'} node")
        return last

    try:
        until(look, timeout=timeout, what=f"claim {claim}", transient=(NotFound,))
    except DeadlineExceeded as late:
        last = Binding(last.phase, str(late), last.scheduled)
    observations.record("binding", claim, last, decides={"phase": last.phase, "scheduled": last.scheduled})
    return last


def _phase(kube: Kube, namespace: str, claim: str) -> str:
    return str(kube.get("PersistentVolumeClaim", claim, namespace).get("status", {}).get("phase", "none"))


def _refusal(kube: Kube, namespace: str, claim: str) -> str:
    for each in kube.list("Event", namespace):
        about = each.get("involvedObject") or each.get("regarding") or {}
        if about.get("name") == claim and each.get("reason") in HOPELESS:
            return str(each.get("message") or each.get("note") or each["reason"])
    return ""


def _scheduled(kube: Kube, namespace: str, pod: str) -> bool:
    try:
        return bool(kube.get("Pod", pod, namespace)["spec"].get("nodeName"))
    except NotFound:
        return False


def claim_at(pod: Mapping[str, Any], container: str, path: str) -> str:
    """Return the claim a pod's container has mounted at ``path``, "" if there is none."""
    main = next(each for each in pod["spec"]["containers"] if each["name"] == container)
    names = {each["name"] for each in main.get("volumeMounts") or () if each["mountPath"] == path}
    found = [
        each["persistentVolumeClaim"]["claimName"]
        for each in pod["spec"].get("volumes") or ()
        if each["name"] in names and "persistentVolumeClaim" in each
    ]
    return next(iter(found), "")


def mounted_claim(kube: Kube, namespace: str, pod: str, *, timeout: float = 60) -> str:
    """Return the first claim a pod mounts, "" if it mounts none; raises DeadlineExceeded if no pod comes."""
    found = until(
        lambda: kube.get("Pod", pod, namespace), timeout=timeout, what=f"pod {pod}", transient=(NotFound,)
    )
    return next(iter(claims_of(found)), "")


def claim_after_deletion(kube: Kube, owner: Object, claim: str, *, timeout: float = 60) -> str:
    """Delete ``owner`` and return the uid its claim has after ``timeout`` seconds, "" once it is gone."""
    kube.delete([owner])
    namespace = owner["metadata"]["namespace"]
    with suppress(DeadlineExceeded):  # that it stays is an answer
        until(lambda: not _uid(kube, namespace, claim), timeout=timeout, what=f"end of claim {claim}")
    return claim_uid(kube, namespace, claim)


def claims_of(pod: Mapping[str, Any]) -> list[str]:
    """Return the names of the claims a pod mounts."""
    volumes = pod["spec"].get("volumes") or ()
    return [each["persistentVolumeClaim"]["claimName"] for each in volumes if "persistentVolumeClaim" in each]


def claim_uid(kube: Kube, namespace: str, claim: str) -> str:
    """Return the uid of a claim, "" where there is none or it is being removed; an observation."""
    uid = _uid(kube, namespace, claim)
    observations.record("claim", f"{namespace}/{claim}", {"uid": uid}, decides={"exists": bool(uid)})
    return uid


def _uid(kube: Kube, namespace: str, claim: str) -> str:
    found = (kube.find("PersistentVolumeClaim", claim, namespace) or {}).get("metadata", {})
    return "" if found.get("deletionTimestamp") else str(found.get("uid", ""))


def claiming_pod(name: str, namespace: str, image: str, storage_class: str) -> tuple[Object, Object]:
    """Return a claim of ``storage_class`` and a pod of ours that mounts it."""
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(helper_pods.LABELS)},
        "spec": {"storageClassName": storage_class} | SMALL,
    }
    pod = helper_pods.pod(name, namespace, image, helper_pods.IDLE)
    pod["spec"]["volumes"] = [{"name": "volume", "persistentVolumeClaim": {"claimName": name}}]
    return claim, pod


def disposable(name: str, namespace: str, image: str) -> Object:
    """Return a StatefulSet of ours whose claim, "volume-NAME-0", goes when it goes."""
    labels = {"boxproof.dev/helper": name}
    template = {
        "metadata": {"labels": labels},
        "spec": helper_pods.pod(name, namespace, image, helper_pods.IDLE)["spec"],
    }
    template["spec"]["restartPolicy"] = "Always"
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(helper_pods.LABELS)},
        "spec": {
            "replicas": 1,
            "serviceName": name,
            "selector": {"matchLabels": labels},
            "template": template,
            "volumeClaimTemplates": [{"metadata": {"name": "volume"}, "spec": dict(SMALL)}],
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Retain"},
        },
    }


def volume_of(kube: Kube, namespace: str, claim: str) -> str:
    """Return the name of the volume a claim is bound to; raises NotFound."""
    return str(kube.get("PersistentVolumeClaim", claim, namespace)["spec"]["volumeName"])


def after_loss(kube: Kube, namespace: str, claim: str, pod: str, *, timeout: float = 90) -> str:
    """Delete a claim and the pod that mounts it, and return what becomes of its volume; an observation.

    That is "gone", or the phase it is in after ``timeout`` seconds or once it is Released by its policy.
    """
    volume = volume_of(kube, namespace, claim)
    kube.delete([{"kind": "Pod", "metadata": {"name": pod, "namespace": namespace}}], grace=1)
    kube.delete([{"kind": "PersistentVolumeClaim", "metadata": {"name": claim, "namespace": namespace}}])

    def look() -> str:
        found = kube.find("PersistentVolume", volume)
        phase = str(found["status"]["phase"]) if found else "gone"
        keeps = (found or {}).get("spec", {}).get("persistentVolumeReclaimPolicy") == "Retain"
        if phase == "gone" or (phase == "Released" and keeps):
            return phase
        raise NotYet(phase)

    seen = until(look, timeout=timeout, what=f"what becomes of volume {volume}")
    observations.record("volume after its claim", volume, seen)
    return seen


def offer_again(kube: Kube, volume: str, namespace: str, claim: str) -> None:
    """Let a Released volume be bound again, by a new claim of that name alone."""
    reference = {"name": claim, "namespace": namespace, "uid": None, "resourceVersion": None}
    kube.patch(kube.path("PersistentVolume", volume), {"spec": {"claimRef": reference}})


def lose(kube: Kube, namespace: str, claim: str) -> None:
    """Delete a claim that nobody mounts, and its volume with it, whatever its policy says."""
    volume = volume_of(kube, namespace, claim)
    path = kube.path("PersistentVolume", volume)
    kube.patch(path, {"spec": {"persistentVolumeReclaimPolicy": "Delete"}})
    kube.delete([{"kind": "PersistentVolumeClaim", "metadata": {"name": claim, "namespace": namespace}}])
    pod_status.gone(kube, "PersistentVolume", volume)


def let_go(kube: Kube, namespaces: Collection[str], classes: Collection[str] = ()) -> None:
    """Have the retained volumes of ``namespaces`` and storage ``classes`` deleted with their claims.

    Raises EnvironmentFault if the API server does not answer.
    """
    for each in kube.list("PersistentVolume"):
        spec = each["spec"]
        theirs = spec.get("claimRef", {}).get("namespace") in namespaces
        if not theirs and spec.get("storageClassName") not in classes:
            continue
        if spec.get("persistentVolumeReclaimPolicy") == "Retain":
            path = kube.path("PersistentVolume", each["metadata"]["name"])
            kube.patch(path, {"spec": {"persistentVolumeReclaimPolicy": "Delete"}})


COMES = 90.0  # seconds until a controller has made a pod anew


@dataclass(frozen=True)
class Member:
    """One pod of a workload and the claims for storage it mounts."""

    name: str
    uid: str
    claims: tuple[str, ...]


def members(kube: Kube, namespace: str, selector: str) -> list[Member]:
    """Return the pods of ``selector`` that are not being deleted."""
    return [
        Member(each["metadata"]["name"], each["metadata"]["uid"], tuple(claims_of(each)))
        for each in kube.list("Pod", namespace, selector)
        if not each["metadata"].get("deletionTimestamp")
    ]


def only_member(kube: Kube, namespace: str, selector: str, *, but: str = "", timeout: float = 90) -> Member:
    """Return the one pod of ``selector`` whose uid is not ``but``; raises DeadlineExceeded without one."""

    def look() -> Member:
        found = members(kube, namespace, selector)
        if len(found) != 1 or found[0].uid == but:
            raise NotYet(f"{len(found)} pods")
        return found[0]

    return until(look, timeout=timeout, what=f"one new pod of {selector}")


def after_deletion(kube: Kube, namespace: str, selector: str) -> tuple[Member, Member]:
    """Delete a pod of ``selector``, the first by name, and return it and the pod that came for it.

    A set may have several: which of them goes does not matter. Raises DeadlineExceeded where none comes.
    """
    what = f"a pod of {selector}"
    there = until(lambda: members(kube, namespace, selector), timeout=COMES, what=what)
    before, known = min(there, key=lambda each: each.name), {each.uid for each in there}
    kube.delete(
        [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": before.name, "namespace": namespace}}]
    )

    def look() -> Member:
        found = [each for each in members(kube, namespace, selector) if each.uid not in known]
        if not found:
            raise NotYet("no other pod")
        return found[0]

    after = until(look, timeout=COMES, what=f"a new pod of {selector}")
    same = {"name": before.name == after.name, "claims": before.claims == after.claims}
    observations.record("identity", selector, same)
    return before, after
