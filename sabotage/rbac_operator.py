"""Changes that give the opt-in operator too much, too little, or nothing at all."""

from __future__ import annotations

from typing import Any

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


def _policy(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = find(objects, "ValidatingAdmissionPolicy", OPERATOR)["spec"]
    return spec


def _variable(objects: Objects, name: str) -> dict[str, Any]:
    return next(each for each in _policy(objects)["variables"] if each["name"] == name)


@manifest_sabotage(
    "rbac-operator-restarts-only", "the policy is about Deployments, the role about more kinds"
)
def policy_for_one_kind(objects: Objects) -> None:
    rules = _policy(objects)["matchConstraints"]["resourceRules"]
    next(each for each in rules if each["apiGroups"] == ["apps"])["resources"] = ["deployments"]


@manifest_sabotage("rbac-operator-restarts-only", "of a workload's spec that of its pods alone is compared")
def spec_of_pods_alone(objects: Objects) -> None:
    _variable(objects, "rest")["expression"] = "object.spec.template.spec == oldObject.spec.template.spec"


@manifest_sabotage(
    "rbac-operator-restarts-only", "the pods may be given any note, not that of a restart alone"
)
def any_note_on_pods(objects: Objects) -> None:
    rule = _policy(objects)["validations"][0]
    rule["expression"] = rule["expression"].replace("variables.restart &&", "")


@manifest_sabotage("rbac-operator-restarts-only", "of a template its pods may be given a finalizer")
def any_finalizer_of_pods(objects: Objects) -> None:
    rule = _policy(objects)["validations"][0]
    rule["expression"] = rule["expression"].replace("variables.meta &&", "")


@manifest_sabotage("rbac-operator-restarts-only", "a workload may be given an owner, with which it goes")
def any_owner(objects: Objects) -> None:
    both = "(has({0}.metadata.finalizers) ? {0}.metadata.finalizers : [])"
    said = " == ".join(both.format(each) for each in ("object", "oldObject"))
    _variable(objects, "life")["expression"] = said


@manifest_sabotage("rbac-operator-restarts-only", "a workload may be restarted and not scaled")
def no_scale(objects: Objects) -> None:
    rest = _variable(objects, "rest")
    rest["expression"] = rest["expression"].replace('["replicas", "template"]', '["template"]')


@manifest_sabotage(
    "rbac-operator-restarts-only", "no DaemonSet is restarted: its templates are counted in a note"
)
def no_restart_of_a_daemonset(objects: Objects) -> None:
    annotations = _variable(objects, "annotations")
    annotations["expression"] = "variables.notes == variables.before"


@manifest_sabotage(
    "netpol-unlisted-hosts-blocked", "the operator enters its proxy: the rule has an older name"
)
def proxy_entered(objects: Objects) -> None:
    rule = _policy(objects)["validations"][1]
    rule["expression"] = rule["expression"].replace("claude-egress-", "claude-proxy-")


@manifest_sabotage("rbac-dedicated-sa", "the operator is bound to the namespace's default account too")
def operator_is_the_default(objects: Objects) -> None:
    subjects = find(objects, "RoleBinding", OPERATOR)["subjects"]
    subjects.append(subjects[0] | {"name": "default"})


@manifest_sabotage("rbac-subject-exists-and-matches", "the operator's binding has a typing error")
def operator_misspelt(objects: Objects) -> None:
    find(objects, "RoleBinding", OPERATOR)["subjects"][0]["name"] = "claude-agnet"


@manifest_sabotage("rbac-nobody-elses-rights", "the operator's rules become part of the cluster's role edit")
def operator_feeds_edit(objects: Objects) -> None:
    meta = find(objects, "ClusterRole", OPERATOR)["metadata"]
    meta.setdefault("labels", {})[f"{RBAC}/aggregate-to-edit"] = "true"


@manifest_sabotage("rbac-golden-audit", "the component that serves it brings a right that nobody reviewed")
def right_of_a_component(objects: Objects) -> None:
    find(objects, "NetworkPolicy", "claude-api")  # in that tier alone
    named_role(objects, "claude-api", by_name("", "secrets", ["get"], "claude-api"))
