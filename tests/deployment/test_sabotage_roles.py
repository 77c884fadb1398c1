"""Sabotages that name our own box's objects, on boxes whose objects have other names or none."""

from __future__ import annotations

from typing import Any

import pytest

from boxproof.core.own_project import OURS
from boxproof.core.settings import ROOT
from boxproof.deployment import sabotage_ways
from boxproof.deployment.sabotage_ways import ManifestSabotage, Objects
from boxproof.subject import model
from boxproof.subject.manifests import sources
from boxproof.subject.model import Subject
from pytest_claims.sabotages import SabotageError

SUBJECT = Subject(directory=ROOT, name="x", kind="Deployment", workload="helper")
ACCOUNT = {"kind": "ServiceAccount", "name": "helpers", "namespace": "n"}


def pod(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c"}]} | spec}
    return {"kind": kind, "metadata": {"name": name, "namespace": "n"}, "spec": {"template": template}}


def policy(name: str, app: str, *types: str) -> dict[str, Any]:
    spec = {"podSelector": {"matchLabels": {"app": app}}, "policyTypes": list(types)}
    rules = {"egress": [{"ports": [{"port": 53}]}]} if "Egress" in types else {}
    return {"kind": "NetworkPolicy", "metadata": {"name": name, "namespace": "n"}, "spec": spec | rules}


@pytest.fixture
def objects() -> Objects:
    """A Deployment beside a store that is a StatefulSet, with policies for both."""
    return [
        pod("StatefulSet", "redis"), pod("Deployment", "helper", serviceAccountName="helpers"),
        policy("store", "redis", "Ingress", "Egress"), policy("in", "helper", "Ingress"),
        policy("out", "helper", "Ingress", "Egress"),
    ]  # fmt: skip


def tried(name: str, objects: Objects) -> Objects:
    sabotage = OURS.sabotage(name)
    assert isinstance(sabotage, ManifestSabotage)
    return sabotage_ways.apply_manifest(sabotage, objects, SUBJECT)[0]


def test_the_policy_that_selects_the_pod_is_the_one_that_is_changed(objects: Objects) -> None:
    after = tried("netpol-other-ports-blocked/allow-all-egress", objects)
    assert {} in after[4]["spec"]["egress"]
    assert after[2:4] == objects[2:4]


def test_the_workload_is_the_subjects_and_no_store(objects: Objects) -> None:
    after = tried("rbac-dedicated-sa/no-account", objects)
    assert after[0] == objects[0]
    assert "serviceAccountName" not in after[1]["spec"]["template"]["spec"]


def test_the_role_is_the_one_that_is_bound_to_its_account(objects: Objects) -> None:
    role = {"kind": "Role", "metadata": {"name": "looks", "namespace": "n"}, "rules": []}
    meta = {"name": "b", "namespace": "n"}
    reference = {"kind": "Role", "name": "looks"}
    binding = {"kind": "RoleBinding", "metadata": meta, "roleRef": reference, "subjects": [ACCOUNT]}
    after = tried("rbac-no-wildcards/wildcard-rule", [*objects, role, binding])
    assert after[5]["rules"] == [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]


@pytest.mark.parametrize("name", ["rbac-no-wildcards/wildcard-rule", "rbac-no-wildcards/cluster-admin"])
def test_a_box_without_rights_is_given_some(objects: Objects, name: str) -> None:
    made = tried(name, objects)[len(objects) :]
    binding = next(each for each in made if each["kind"] == "ClusterRoleBinding")
    assert binding["subjects"] == [ACCOUNT]
    assert binding["roleRef"]["name"] in {"cluster-admin", *(each["metadata"]["name"] for each in made)}


def test_what_no_object_plays_does_not_apply(objects: Objects) -> None:
    with pytest.raises(SabotageError):
        tried("netpol-selects-the-pod/no-policy", objects[:2])


def test_our_own_box_is_edited_by_name() -> None:
    """What is found by a role is what has the name in our own manifests."""
    own = sources.literal(model.load(ROOT))
    for kind, name in (("NetworkPolicy", "claude-agent"), ("ClusterRole", "claude-reader")):
        assert sabotage_ways.find(own, kind, name)["metadata"]["name"] == name
    assert sabotage_ways.find(own, "StatefulSet")["metadata"]["name"] == "claude-agent"
