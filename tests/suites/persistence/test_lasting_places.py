"""Which pods do not find what the one before has left."""

from __future__ import annotations

from typing import Any

import pytest

from suites.persistence.lasting_places import passing

TOP = "/home/a/.claude"
UID, NODE, NAME = (
    {"name": "PLACE", "valueFrom": {"fieldRef": {"fieldPath": each}}}
    for each in ("metadata.uid", "spec.nodeName", "metadata.name")
)


def of(kind: str = "StatefulSet", env: tuple[dict[str, Any], ...] = (), **mount: Any) -> list[str]:
    """Return what is passing of an agent with one mount."""
    container = {"name": "a", "env": list(env), "volumeMounts": [{"name": "home", "mountPath": TOP} | mount]}
    kept = {"name": "kept", "persistentVolumeClaim": {"claimName": "kept"}}
    volumes = [kept, {"name": "no", "emptyDir": {}}]
    spec: dict[str, Any] = {"template": {"spec": {"containers": [container], "volumes": volumes}}}
    spec["volumeClaimTemplates"] = [{"metadata": {"name": "home"}}]
    return list(passing({"kind": kind, "metadata": {"name": "a"}, "spec": spec}, container, TOP))


def test_a_claim_lasts() -> None:
    assert of() == of(name="kept") == of(mountPath="/home/a/") == of(subPath="state") == []


def test_another_volume_and_none_do_not() -> None:
    assert of(name="no") == ["volume no is no claim"]
    assert of(mountPath="/home/a/.claude-of-another") == ["no mount"]


@pytest.mark.parametrize("variable", [UID, NODE])
def test_a_place_of_each_pod_or_node_does_not(variable: dict[str, Any]) -> None:
    assert of(env=(variable,), subPathExpr="of/$(PLACE)")
    by_way = {"name": "BELOW", "value": "state/$(PLACE)"}
    assert of(env=(variable, by_way), subPathExpr="$(BELOW)")


def test_a_name_lasts_in_a_set_alone() -> None:
    assert not of(env=(NAME,), subPathExpr="$(PLACE)")
    assert of(kind="Deployment", env=(NAME,), subPathExpr="$(PLACE)")
