"""A derived instance differs from the first in namespace and cluster-scoped names, and nowhere else."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from boxproof.subject.manifests.derive import derive

OBJECTS: list[dict[str, Any]] = [
    {"kind": "Namespace", "metadata": {"name": "claude"}},
    {"kind": "ClusterRole", "metadata": {"name": "reader"}, "rules": [{"resources": ["pods"]}]},
    {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "reader"},
        "roleRef": {"kind": "ClusterRole", "name": "reader"},
        "subjects": [
            {"kind": "ServiceAccount", "name": "agent", "namespace": "claude"},
            {"kind": "ServiceAccount", "name": "agent", "namespace": "default"},
            {"kind": "Group", "name": "system:serviceaccounts:claude"},
            {"kind": "Group", "name": "system:serviceaccounts:claudette"},
        ],
    },
    {
        "kind": "RoleBinding",
        "metadata": {"name": "edit", "namespace": "claude"},
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "User", "name": "system:serviceaccount:claude:agent"}],
    },
    {
        "kind": "ConfigMap",
        "metadata": {"name": "claude", "namespace": "claude"},
        "data": {"claude": "claude"},
    },
    {"kind": "Role", "metadata": {"name": "elsewhere", "namespace": "kube-system"}},
]


def by_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(each for each in objects if each["kind"] == kind)


def test_the_namespace_and_references_to_it_move() -> None:
    made = derive(OBJECTS, namespace="claude-x", suffix="x")

    assert by_kind(made, "Namespace")["metadata"]["name"] == "claude-x"
    assert by_kind(made, "ConfigMap")["metadata"]["namespace"] == "claude-x"
    assert by_kind(made, "ClusterRoleBinding")["subjects"][0]["namespace"] == "claude-x"
    assert by_kind(made, "ClusterRoleBinding")["subjects"][2]["name"] == "system:serviceaccounts:claude-x"
    assert by_kind(made, "RoleBinding")["subjects"][0]["name"] == "system:serviceaccount:claude-x:agent"


def test_only_cluster_scoped_names_of_our_own_get_the_suffix() -> None:
    made = derive(OBJECTS, namespace="claude-x", suffix="x")

    assert by_kind(made, "ClusterRole")["metadata"]["name"] == "reader-x"
    assert by_kind(made, "ClusterRoleBinding")["roleRef"]["name"] == "reader-x"
    assert by_kind(made, "RoleBinding")["metadata"]["name"] == "edit"
    assert by_kind(made, "RoleBinding")["roleRef"]["name"] == "cluster-admin"


def test_a_wrong_reference_stays_wrong() -> None:
    made = derive(OBJECTS, namespace="claude-x", suffix="x")

    subjects = by_kind(made, "ClusterRoleBinding")["subjects"]
    assert subjects[1]["namespace"] == "default"
    assert subjects[3]["name"] == "system:serviceaccounts:claudette"
    assert by_kind(made, "Role") == by_kind(OBJECTS, "Role")


def test_data_is_never_touched() -> None:
    made = derive(OBJECTS, namespace="claude-x", suffix="x")

    assert by_kind(made, "ConfigMap")["data"] == {"claude": "claude"}
    assert by_kind(made, "ConfigMap")["metadata"]["name"] == "claude"


@given(st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True))
def test_deriving_back_gives_the_original(suffix: str) -> None:
    before = copy.deepcopy(OBJECTS)

    there = derive(OBJECTS, namespace=f"claude-{suffix}", suffix=suffix)
    back = derive(there, namespace="claude", suffix="back")

    assert before == OBJECTS
    for each, original in zip(back, OBJECTS, strict=True):
        name = original["metadata"]["name"]
        suffixed = each["metadata"]["name"] == f"{name}-{suffix}-back"
        assert suffixed or each["metadata"]["name"] == name
        each["metadata"]["name"] = name
        if "roleRef" in each:
            each["roleRef"] = original["roleRef"]
        assert each == original


def test_an_admission_policy_is_one_for_each_instance() -> None:
    policy = {"kind": "ValidatingAdmissionPolicy", "metadata": {"name": "limits"}}
    binding = {
        "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "limits"},
        "spec": {"policyName": "limits"},
    }  # fmt: skip
    made = derive([policy, binding], namespace="b", suffix="x")

    assert [each["metadata"]["name"] for each in made] == ["limits-x", "limits-x"]
    assert made[1]["spec"]["policyName"] == "limits-x"
