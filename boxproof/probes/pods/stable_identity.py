"""Whether a pod that is deleted comes back as the same: name and storage, never its uid."""

from __future__ import annotations

from dataclasses import dataclass

from boxproof.kube.client import Kube
from boxproof.probes.pods.volumes import claims_of
from pytest_claims.recording import observations
from pytest_claims.waiting import NotYet, until


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
    """Delete the one pod of ``selector`` and return it and the pod that came for it."""
    before = only_member(kube, namespace, selector)
    kube.delete(
        [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": before.name, "namespace": namespace}}]
    )
    after = only_member(kube, namespace, selector, but=before.uid)
    same = {"name": before.name == after.name, "claims": before.claims == after.claims}
    observations.record("identity", selector, same)
    return before, after
