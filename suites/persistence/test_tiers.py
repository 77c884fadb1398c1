"""What every tier says of the agent's volume and of how many agents there are, as it is rendered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from boxproof.core.session import Session
from boxproof.deployment.deploy import rendered
from boxproof.kube.client import Object
from boxproof.subject.manifests.pod_specs import workload
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require

ONE = require(
    "the workload of a tier is a StatefulSet of one replica", lambda found: found == ("StatefulSet", 1)
)
OUTLIVES = require("no claim of a tier goes with its StatefulSet", lambda policy: policy != "Delete")


@claim("statefulset-stable-identity")
@needs("default-tier")
def test_every_tier_is_a_statefulset_of_one(session: Session, subject: Subject) -> None:
    def said(asked: str, item: Object) -> tuple[str, int]:
        replicas = item["spec"].get("replicas")  # a template may leave the value empty: that is one
        number = 1 if replicas is None else int(replicas)
        return observe("workload of a tier", asked, (str(item["kind"]), number))

    with control("two of them, and a Deployment, are seen"):
        ONE.fails(said("two", {"kind": "StatefulSet", "spec": {"replicas": 2}}))
        ONE.fails(said("a Deployment", {"kind": "Deployment", "spec": {}}))
    for name, components in (subject.tiers or {"default": ()}).items():
        ONE(said(f"tier {name}", workload(rendered(session, components=components)[0], subject.workload)))


@claim("pvc-survives-statefulset-deletion")
@needs("default-tier")
def test_no_claim_of_any_tier_goes_with_its_statefulset(session: Session, subject: Subject) -> None:
    def policy(asked: str, spec: Mapping[str, Any]) -> str:
        said = (spec.get("persistentVolumeClaimRetentionPolicy") or {}).get("whenDeleted", "Retain")
        return observe("claims when it is deleted", asked, str(said))

    with control("one that says whenDeleted: Delete is seen"):
        doctored = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}
        OUTLIVES.fails(policy("doctored", doctored))
    for name, components in (subject.tiers or {"default": ()}).items():
        item = workload(rendered(session, components=components)[0], subject.workload)
        OUTLIVES(policy(f"tier {name}", item["spec"]))


SCALERS = {"HorizontalPodAutoscaler": "maxReplicas", "ScaledObject": "maxReplicaCount"}
STAYS_ONE = require(
    "nothing makes more pods of a tier, or counts them from another number", lambda found: found == []
)


def otherwise(item: Object, objects: Sequence[Object]) -> list[str]:
    """Return what gives a workload other pods than number 0: where it begins, and what scales it."""
    start = int((item["spec"].get("ordinals") or {}).get("start") or 0)
    found = [f"ordinals.start: {start}"] if start else []
    for each in objects:
        spec = each.get("spec") or {}
        target, most = spec.get("scaleTargetRef") or {}, SCALERS.get(each["kind"])
        of_a_kind = target.get("kind", item["kind"]) == item["kind"]
        ours = of_a_kind and target.get("name") == item["metadata"]["name"]
        if most and ours and spec.get(most) != 1:
            found.append(f"{each['kind']}/{each['metadata']['name']}")
    return found


@claim("statefulset-stable-identity")
@needs("default-tier")
def test_nothing_makes_another_pod_of_any_tier(session: Session, subject: Subject) -> None:
    """Whatever its number of replicas says."""

    def said(asked: str, item: Object, objects: Sequence[Object]) -> list[str]:
        return observe("other pods of a tier", asked, otherwise(item, objects))

    with control("a set that counts from 1, and one that is scaled, are seen"):
        plain: Object = {"kind": "StatefulSet", "metadata": {"name": "agent"}, "spec": {}}
        STAYS_ONE.fails(said("from 1", plain | {"spec": {"ordinals": {"start": 1}}}, []))
        for kind in SCALERS:
            scaler = {"kind": kind, "metadata": {"name": "a"}, "spec": {"scaleTargetRef": {"name": "agent"}}}
            STAYS_ONE.fails(said(kind, plain, [scaler]))
    for name, components in (subject.tiers or {"default": ()}).items():
        objects = rendered(session, components=components)[0]
        STAYS_ONE(said(f"tier {name}", workload(objects, subject.workload), objects))
