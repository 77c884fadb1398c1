"""Changes that give the opt-in operator too much, too little, or nothing at all."""

from __future__ import annotations

from boxproof.deployment.sabotage_ways import Objects, find, manifest_sabotage
from pytest_claims.sabotages import SabotageError
from sabotage.box_parts import OPERATOR, RBAC, bind, by_name, named_role, rule_about, rules_of


@manifest_sabotage("rbac-operator-really-works", "the operator has no exec at all")
def no_exec(objects: Objects) -> None:
    rules_of(objects, OPERATOR).remove(rule_about(objects, "pods/exec", OPERATOR))


@manifest_sabotage("rbac-operator-is-opt-in", "the operator's binding stands in the base")
def operator_in_the_base(objects: Objects) -> None:
    if any(each["metadata"]["name"] == OPERATOR for each in objects):
        raise SabotageError("the operator is here already")
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]}]
    meta = {"name": OPERATOR}
    objects.append({"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": meta, "rules": rules})
    bind(objects, "ClusterRoleBinding", OPERATOR, "ClusterRole", OPERATOR)


@manifest_sabotage(
    "rbac-operator-really-works", "exec is granted for POST alone, and kubectl asks with GET first"
)
def exec_by_post_alone(objects: Objects) -> None:
    rule_about(objects, "pods/exec", OPERATOR)["verbs"] = ["create"]


@manifest_sabotage(
    "rbac-operator-really-works",
    "exec is granted for GET alone, and kubectl without websockets asks with POST",
)
def exec_by_get_alone(objects: Objects) -> None:
    rule_about(objects, "pods/exec", OPERATOR)["verbs"] = ["get"]


@manifest_sabotage("rbac-operator-really-works", "deployments/rollout is granted, which does not exist")
def rollout_alone(objects: Objects) -> None:
    rule_about(objects, "deployments", OPERATOR)["resources"] = ["deployments/rollout"]


@manifest_sabotage("rbac-operator-is-opt-in", "one right of the operator's, for one pod, stands in the base")
def one_right_in_the_base(objects: Objects) -> None:
    if any(each["metadata"]["name"] == OPERATOR for each in objects):
        raise SabotageError("the operator is here already")
    named_role(objects, "claude-restart", by_name("", "pods", ["delete"], "claude-agent-0"))


@manifest_sabotage("rbac-operator-restarts-only", "what the operator patches is looked at and let by")
def patches_only_audited(objects: Objects) -> None:
    find(objects, "ValidatingAdmissionPolicyBinding", OPERATOR)["spec"]["validationActions"] = ["Audit"]


@manifest_sabotage("rbac-operator-restarts-only", "the policy is about another account")
def policy_for_another_account(objects: Objects) -> None:
    condition = find(objects, "ValidatingAdmissionPolicy", OPERATOR)["spec"]["matchConditions"][0]
    condition["expression"] = condition["expression"].replace("claude-agent", "claude-agnet")


@manifest_sabotage("rbac-operator-restarts-only", "labels of pods are not compared")
def labels_not_compared(objects: Objects) -> None:
    rule = find(objects, "ValidatingAdmissionPolicy", OPERATOR)["spec"]["validations"][0]
    rule["expression"] = rule["expression"].replace("variables.labels &&", "")


@manifest_sabotage("rbac-operator-really-works", "not even a restart is let by")
def no_restart(objects: Objects) -> None:
    rule = find(objects, "ValidatingAdmissionPolicy", OPERATOR)["spec"]["validations"][0]
    rule["expression"] = "variables.execs"


@manifest_sabotage("rbac-operator-is-opt-in", "the component gives the reader's own role its right as well")
def reader_changed_along(objects: Objects) -> None:
    if not any(each["metadata"]["name"] == OPERATOR for each in objects):
        raise KeyError("no operator here")
    rules_of(objects).append({"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]})
