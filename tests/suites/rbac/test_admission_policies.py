"""What policies of admission leave out is named, and what they leave out of nothing is not."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from suites.rbac.admission_policies import BINDING, POLICY, left_out

KINDS = ["daemonsets", "deployments", "statefulsets"]
RULE: dict[str, Any] = {"apiGroups": ["apps"], "operations": ["UPDATE"], "resources": KINDS}
SELECTOR = {"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}


def made(constraints: dict[str, Any], binding: dict[str, Any], **spec: Any) -> list[dict[str, Any]]:
    """Return a policy and its binding, with something more in each."""
    about = {"matchConstraints": {"resourceRules": [RULE], **constraints}, **spec}
    bound = {"policyName": "a", "validationActions": ["Deny"], **binding}
    return [
        {"kind": POLICY, "metadata": {"name": "a"}, "spec": about},
        {"kind": BINDING, "metadata": {"name": "b"}, "spec": bound},
    ]


@pytest.mark.parametrize(
    ("constraints", "binding"),
    [
        ({}, {}),
        ({"objectSelector": {}, "namespaceSelector": {"matchLabels": {}}}, {"matchResources": {}}),
        ({"resourceRules": [{"apiGroups": ["*"], "operations": ["*"], "resources": ["*/*"]}]}, {}),
        ({"resourceRules": [RULE | {"resources": [each]} for each in KINDS]}, {}),
    ],
)
def test_nothing_is_left_out(constraints: dict[str, Any], binding: dict[str, Any]) -> None:
    assert left_out(made(constraints, binding)) == []


@pytest.mark.parametrize(
    ("constraints", "binding"),
    [
        ({"objectSelector": SELECTOR}, {}),
        ({"namespaceSelector": {"matchLabels": {"a": "b"}}}, {}),
        ({"excludeResourceRules": [RULE]}, {}),
        ({"resourceRules": [RULE | {"resourceNames": ["one"]}]}, {}),
        ({"resourceRules": [RULE | {"operations": ["CREATE"]}]}, {}),
        ({}, {"matchResources": {"objectSelector": SELECTOR}}),
        ({}, {"validationActions": ["Audit"]}),
        ({}, {"policyName": "another"}),
    ],
)
def test_what_is_left_out_of_every_kind(constraints: dict[str, Any], binding: dict[str, Any]) -> None:
    assert [each.partition(":")[0] for each in left_out(made(constraints, binding))] == KINDS


def test_one_kind_without_a_rule_is_named_alone() -> None:
    assert left_out(made({"resourceRules": [RULE | {"resources": KINDS[:2]}]}, {})) == [
        "statefulsets: no policy"
    ]


def test_a_parameter_that_is_not_found_lets_by_where_there_are_parameters() -> None:
    allow = {"paramRef": {"parameterNotFoundAction": "Allow"}}
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    assert left_out(made({}, allow)) == []
    assert len(left_out(made({}, allow, paramKind=kind))) == len(KINDS)
    assert left_out(made({}, {"paramRef": {"parameterNotFoundAction": "Deny"}}, paramKind=kind)) == []


def test_one_policy_that_leaves_out_nothing_is_enough() -> None:
    whole, narrow = made({}, {}), copy.deepcopy(made({"objectSelector": SELECTOR}, {"policyName": "c"}))
    narrow[0]["metadata"]["name"] = "c"
    assert left_out([*narrow, *whole]) == []
