"""What a further instance cannot have, and what a cluster of ours has nobody for."""

from __future__ import annotations

from typing import Any

import pytest

from boxproof.subject.manifests import derive, starting

DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "agents.example.dev"},
    "spec": {"group": "example.dev", "names": {"kind": "Agent", "plural": "agents"}},
}
AGENT: dict[str, Any] = {
    "apiVersion": "example.dev/v1", "kind": "Agent", "metadata": {"name": "one", "namespace": "n"},
}  # fmt: skip
MONITOR: dict[str, Any] = {
    "apiVersion": "monitoring.example/v1", "kind": "Monitor", "metadata": {"name": "m", "namespace": "n"},
}  # fmt: skip
SETTINGS: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "c", "namespace": "n"},
}


def test_a_definition_keeps_its_name_and_only_the_first_instance_brings_it() -> None:
    made = derive.derive([DEFINITION, AGENT], namespace="n-x", suffix="x", old="n")
    assert [each["metadata"]["name"] for each in made] == ["agents.example.dev", "one"]
    assert starting.freed(made) == ["CustomResourceDefinition/agents.example.dev"]
    assert [each["kind"] for each in made] == ["Agent"]


@pytest.mark.parametrize(
    ("objects", "groups", "left"),
    [
        ([DEFINITION, AGENT, SETTINGS], {"", "apiextensions.k8s.io"}, []),
        ([AGENT, SETTINGS], {""}, ["Agent"]),
        ([MONITOR, SETTINGS], {""}, ["Monitor"]),
        ([MONITOR], {"", "monitoring.example"}, []),
    ],
)
def test_what_the_cluster_has_no_group_for_is_told(
    objects: list[dict[str, Any]], groups: set[str], left: list[str]
) -> None:
    assert [each["kind"] for each in starting.foreign(objects, groups)] == left


def test_an_instances_admission_policy_judges_the_accounts_of_its_own_namespace() -> None:
    policy: dict[str, Any] = {"kind": "ValidatingAdmissionPolicy", "metadata": {"name": "limits-x"}}
    others: dict[str, Any] = {"kind": "ConfigMap", "metadata": {"name": "limits-x"}}
    starting.judging_its_own([policy, others], "b")
    (condition,) = policy["spec"]["matchConditions"]
    assert condition["expression"] == 'request.userInfo.username.startsWith("system:serviceaccount:b:")'
    assert "spec" not in others
