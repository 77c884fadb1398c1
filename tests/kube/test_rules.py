"""Which rules reach an account, told from roles and bindings alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxproof.kube.access_reviews import Audit, Question, groups_of
from boxproof.kube.rules import Grant, Rule, among, filled, places, subjects

USER = "system:serviceaccount:claude:agent"
PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}


def role(kind: str, name: str, *rules: dict[str, Any], namespace: str = "") -> dict[str, Any]:
    meta = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"kind": kind, "metadata": meta, "rules": list(rules) or None}


def binding(
    kind: str, reference: tuple[str, str], *who: dict[str, str], namespace: str = ""
) -> dict[str, Any]:
    meta = {"name": "b"} | ({"namespace": namespace} if namespace else {})
    return {
        "kind": kind,
        "metadata": meta,
        "roleRef": {"kind": reference[0], "name": reference[1]},
        "subjects": list(who) or None,
    }


def account(name: str = "agent", namespace: str = "claude") -> dict[str, str]:
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def found(*objects: dict[str, Any]) -> list[Grant]:
    return among(objects, USER, groups_of(USER))


def test_a_binding_in_the_cluster_reaches_everywhere() -> None:
    objects = role("ClusterRole", "r", PODS), binding("ClusterRoleBinding", ("ClusterRole", "r"), account())
    [grant] = found(*objects)
    assert (grant.namespace, grant.own, grant.role) == ("", True, "ClusterRole/r")
    assert grant.rules == (Rule(verbs=("get",), groups=("",), resources=("pods",)),)


def test_a_role_is_told_from_one_of_the_same_name_elsewhere() -> None:
    here, there = role("Role", "r", PODS, namespace="claude"), role("Role", "r", namespace="other")
    [grant] = found(here, there, binding("RoleBinding", ("Role", "r"), account(), namespace="other"))
    assert (grant.role, grant.namespace, grant.rules) == ("Role/other/r", "other", ())


def test_a_cluster_role_bound_in_a_namespace_reaches_there_alone() -> None:
    bound = binding("RoleBinding", ("ClusterRole", "r"), account(), namespace="other")
    [grant] = found(role("ClusterRole", "r", PODS), bound)
    assert (grant.namespace, len(grant.rules)) == ("other", 1)
    assert places([grant], "claude") == ["", "claude", "other"]


def test_groups_reach_but_those_everyone_is_in_are_not_its_own() -> None:
    groups = ("system:authenticated", "system:serviceaccounts", "system:serviceaccounts:claude", "others")
    made = [
        binding("ClusterRoleBinding", ("ClusterRole", each), {"kind": "Group", "name": each})
        for each in groups
    ]
    assert {each.role.partition("/")[2]: each.own for each in found(*made)} == {
        "system:authenticated": False,
        "system:serviceaccounts": False,
        "system:serviceaccounts:claude": True,
    }


def test_the_same_name_in_another_namespace_is_another_account() -> None:
    wrong = account(namespace="default"), account("agnet"), {"kind": "User", "name": "agent"}
    assert found(binding("ClusterRoleBinding", ("ClusterRole", "r"), *wrong)) == []
    assert found(binding("ClusterRoleBinding", ("ClusterRole", "r"))) == []


def test_a_user_may_be_named_in_full() -> None:
    named = binding("ClusterRoleBinding", ("ClusterRole", "r"), {"kind": "User", "name": USER})
    assert [each.own for each in found(named)] == [True]


def test_a_missing_role_says_nothing() -> None:
    assert [each.rules for each in found(binding("ClusterRoleBinding", ("ClusterRole", "r"), account()))] == [
        ()
    ]


def test_rules_touch_by_name_and_by_wildcard() -> None:
    plain = Rule(verbs=("get",), groups=("", "apps"), resources=("pods", "pods/log"))
    assert (
        plain.touches("", "pods/log")
        and not plain.touches("", "secrets")
        and not plain.touches("batch", "pods")
    )
    assert Rule(groups=("*",), resources=("secrets",)).touches("", "secrets")
    assert Rule(groups=("",), resources=("*",)).touches("", "pods/exec")
    assert Rule(groups=("",), resources=("*/exec",)).touches("", "pods/exec")
    assert not Rule(groups=("",), resources=("*/exec",)).touches("", "pods")


@given(st.sampled_from(["verbs", "groups", "resources"]), st.lists(st.sampled_from(["get", "pods", ""])))
def test_a_wildcard_is_seen_wherever_it_stands(where: str, others: list[str]) -> None:
    assert Rule(**{where: (*others, "*")}).has_wildcard
    assert not Rule(**{where: tuple(others)}, urls=("/healthz",)).has_wildcard
    assert Rule(**{where: tuple(others)}, urls=("*",)).has_wildcard


@pytest.mark.parametrize(
    ("resources", "wild"),
    [(("*/status",), True), (("pods", "*/log"), True), (("*",), True), (("pods/log", "pods"), False)],
)
def test_what_is_below_every_resource_is_a_wildcard(resources: tuple[str, ...], wild: bool) -> None:
    assert Rule(verbs=("get",), groups=("",), resources=resources).has_wildcard is wild


def test_subjects_of_bindings_alone() -> None:
    objects = [
        role("ClusterRole", "r"),
        binding("RoleBinding", ("Role", "r"), account(), {"kind": "Group", "name": "g"}),
        binding("ClusterRoleBinding", ("ClusterRole", "r")),
    ]
    assert subjects(objects) == [("ServiceAccount", "claude", "agent"), ("Group", "", "g")]


def test_changes_are_what_is_not_reading() -> None:
    beyond = [
        Question.of("get", "pods"),
        Question.of("delete", "pods"),
        Question.of("delete", "pods", "claude"),
    ]
    beyond += [Question.of("patch", "deployments.apps/scale")]
    made = Audit(asked=4, unclear=(), beyond=frozenset(beyond), seconds=0.1)
    assert made.changes == {"delete": ["pods"], "patch": ["deployments.apps/scale"]}


def test_an_aggregated_role_has_the_rules_that_others_feed_it() -> None:
    fed = role("ClusterRole", "fed") | {
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"feeds": "it"}}]}
    }
    feeding, beside = (role("ClusterRole", name, PODS) for name in ("feeding", "beside"))
    feeding["metadata"]["labels"] = {"feeds": "it"}
    bound = binding("ClusterRoleBinding", ("ClusterRole", "fed"), account())

    [before], [grant] = found(fed, feeding, beside, bound), found(*filled([fed, feeding, beside, bound]))

    assert before.rules == ()
    assert grant.rules == (Rule(verbs=("get",), groups=("",), resources=("pods",)),)


def test_a_role_that_feeds_another_may_be_fed_itself_in_a_circle_too() -> None:
    names = ("first", "second", "third")
    roles = [role("ClusterRole", name, *([PODS] if name == "third" else [])) for name in names]
    for each, after in zip(roles, [*names[1:], names[0]], strict=True):
        each["metadata"]["labels"] = {"is": each["metadata"]["name"]}
        each["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {"is": after}}]}

    [grant] = found(*filled([*roles, binding("ClusterRoleBinding", ("ClusterRole", "first"), account())]))

    assert grant.rules == (Rule(verbs=("get",), groups=("",), resources=("pods",)),)
