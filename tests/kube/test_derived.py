"""Questions that rules give: names, addresses, virtual resources, and what a wildcard stands for."""

from __future__ import annotations

from typing import Any

from boxproof.kube.access_reviews import Question
from boxproof.kube.discovery import Resource
from boxproof.kube.rules import RBAC, Grant, Rule, about, about_roles, changing, derived, given

SERVED = [
    Resource(group="", version="v1", name="pods", verbs=("get",)),
    Resource(group="", version="v1", name="pods/exec", verbs=("get", "create")),
    Resource(group="", version="v1", name="secrets", verbs=("get",)),
    Resource(group="apps", version="v1", name="deployments/scale", verbs=("get",)),
]


def of(namespace: str = "", **rule: Any) -> list[str]:
    grant = Grant(binding="b", role="r", namespace=namespace, own=True, rules=(Rule(**rule),))
    return [str(each) for each in derived([grant], SERVED)]


def test_a_name_and_a_namespace_go_into_the_question() -> None:
    found = of("kube-system", verbs=("get",), groups=("",), resources=("secrets",), names=("one", "two"))
    assert found == ["get secrets one in kube-system", "get secrets two in kube-system"]


def test_what_nothing_serves_is_asked_all_the_same() -> None:
    found = of(verbs=("impersonate",), groups=("",), resources=("users",), names=("admin",))
    assert found == ["impersonate users admin in all namespaces"]
    assert of(verbs=("get",), groups=("x",), resources=("ys",)) == ["get ys.x in all namespaces"]


def test_wildcards_stand_for_all_there_is_and_for_verbs_of_rules_alone() -> None:
    found = of(verbs=("*",), groups=("*",), resources=("*",))
    assert "get secrets in all namespaces" in found
    assert "create pods/exec in all namespaces" in found
    assert "impersonate users in all namespaces" in found
    assert "escalate deployments.apps/scale in all namespaces" in found
    assert of(verbs=("get",), groups=("",), resources=("*/exec",)) == ["get pods/exec in all namespaces"]
    assert "get users in all namespaces" in of(verbs=("get",), groups=("*",), resources=("users",))


def test_an_ordinary_verb_that_is_not_served_opens_nothing_and_others_are_asked() -> None:
    found = of(verbs=("get", "list", "bind"), groups=("",), resources=("pods",))
    assert found == ["get pods in all namespaces", "bind pods in all namespaces"]


def test_addresses_are_asked_by_what_they_may_open() -> None:
    assert of(verbs=("get",), urls=("/metrics",)) == ["get /metrics"]
    assert "get /logs/" in of(verbs=("get",), urls=("*",))


def test_only_what_the_subject_answers_for_is_given() -> None:
    def grant(binding: str, own: bool) -> Grant:
        return Grant(binding=binding, role="r", namespace="", own=own, rules=())

    everyone, theirs, mine = (
        grant("ClusterRoleBinding/e", False),
        grant("ClusterRoleBinding/t", False),
        grant("x", True),
    )
    objects = [
        {"kind": "ClusterRoleBinding", "metadata": {"name": "e"}},
        {"kind": "Pod", "metadata": {"name": "t"}},
    ]
    assert given([everyone, theirs, mine], objects) == [everyone, mine]


def test_streams_count_as_changes_and_impersonating_as_changing_roles() -> None:
    enter, read = Question.of("get", "pods/exec"), Question.of("get", "pods")
    assert changing([enter, read, Question.of("patch", "pods")]) == [enter, Question.of("patch", "pods")]
    assert about(enter, "pods/exec") and about(enter, "pods/*") and not about(read, "pods/*")
    assert not about(Question.of("get", "pods.metrics.k8s.io"), "pods")
    assert about_roles(Question.of("impersonate", "users")) and about_roles(
        Question.of("bind", f"roles.{RBAC}")
    )
    assert not about_roles(Question.of("get", f"roles.{RBAC}"))
