"""Changes that give the agent's account too much, too little, or nothing at all."""

from __future__ import annotations

from typing import Any

from boxproof.deployment.sabotage_ways import Objects, find, manifest_sabotage
from pytest_claims.sabotages import SabotageError

READER, OPERATOR, ACCOUNT = "claude-reader", "claude-operator", "claude-agent"
RBAC = "rbac.authorization.k8s.io"


def _rules(objects: Objects, role: str = READER) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = find(objects, "ClusterRole", role)["rules"]
    return rules


def _allow(objects: Objects, group: str, resources: list[str], verbs: list[str], role: str = READER) -> None:
    _rules(objects, role).append({"apiGroups": [group], "resources": resources, "verbs": verbs})


def _rule_about(objects: Objects, resource: str, role: str = READER) -> dict[str, Any]:
    return next(each for each in _rules(objects, role) if resource in each["resources"])


def _pod(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = find(objects, "StatefulSet")["spec"]["template"]["spec"]
    return spec


def _bind(objects: Objects, kind: str, name: str, role_kind: str, role: str) -> None:
    """Bind the agent's account to a role, as the subject's own binding does."""
    subject = find(objects, "ClusterRoleBinding", READER)["subjects"][0]
    meta = {"name": name} | ({"namespace": subject["namespace"]} if kind == "RoleBinding" else {})
    reference = {"apiGroup": RBAC, "kind": role_kind, "name": role}
    binding = {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": meta, "roleRef": reference}
    objects.append(binding | {"subjects": [dict(subject)]})


@manifest_sabotage("rbac-no-wildcards", "the reader has every verb on everything")
def wildcard_rule(objects: Objects) -> None:
    _allow(objects, "*", ["*"], ["*"])


@manifest_sabotage("rbac-no-wildcards", "the account is bound to the built-in cluster-admin")
def cluster_admin(objects: Objects) -> None:
    _bind(objects, "ClusterRoleBinding", "claude-admin", "ClusterRole", "cluster-admin")


@manifest_sabotage("rbac-dedicated-sa", "the pod names no account and gets the default one")
def no_account(objects: Objects) -> None:
    del _pod(objects)["serviceAccountName"]


@manifest_sabotage("rbac-dedicated-sa", "the reader is bound to the namespace's default account too")
def default_bound(objects: Objects) -> None:
    subjects = find(objects, "ClusterRoleBinding", READER)["subjects"]
    subjects.append(subjects[0] | {"name": "default"})


@manifest_sabotage(
    "rbac-subject-exists-and-matches", "the binding looks for the account in another namespace"
)
def subject_elsewhere(objects: Objects) -> None:
    find(objects, "ClusterRoleBinding", READER)["subjects"][0]["namespace"] = "default"


@manifest_sabotage("rbac-subject-exists-and-matches", "the pod's account has a typing error")
def misspelt_account(objects: Objects) -> None:
    _pod(objects)["serviceAccountName"] = "claude-agnet"


@manifest_sabotage("rbac-reader-can-read", "the rule about workloads is missing")
def no_workloads(objects: Objects) -> None:
    _rules(objects).remove(_rule_about(objects, "deployments"))


@manifest_sabotage("rbac-pods-log", "the right to logs is missing")
def no_logs(objects: Objects) -> None:
    _rule_about(objects, "pods/log")["resources"].remove("pods/log")


@manifest_sabotage("rbac-no-secrets", "secrets are among what the reader reads")
def reads_secrets(objects: Objects) -> None:
    _rule_about(objects, "pods")["resources"].append("secrets")


@manifest_sabotage("rbac-no-secrets", "a role of its own opens one secret by name")
def one_secret(objects: Objects) -> None:
    secret = find(objects, "Secret")["metadata"]
    meta = {"name": "claude-secret", "namespace": secret["namespace"]}
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": [secret["name"]]}
    objects.append({"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": meta, "rules": [rule]})
    _bind(objects, "RoleBinding", "claude-secret", "Role", "claude-secret")


@manifest_sabotage(
    "rbac-no-secrets", "the account has the built-in role edit in its namespace, secrets among it"
)
def edits_its_namespace(objects: Objects) -> None:
    _bind(objects, "RoleBinding", "claude-edit", "ClusterRole", "edit")


@manifest_sabotage("rbac-operator-really-works", "the operator has no exec at all")
def no_exec(objects: Objects) -> None:
    _rules(objects, OPERATOR).remove(_rule_about(objects, "pods/exec", OPERATOR))


@manifest_sabotage("rbac-no-rbac-mutation", "the reader writes and binds roles")
def writes_roles(objects: Objects) -> None:
    _allow(objects, RBAC, ["clusterroles", "clusterrolebindings"], ["create", "patch", "bind", "escalate"])


@manifest_sabotage("rbac-no-rbac-mutation", "the reader speaks in the name of others")
def impersonates(objects: Objects) -> None:
    _allow(objects, "", ["users", "groups"], ["impersonate"])


@manifest_sabotage("rbac-no-destructive", "the reader deletes namespaces")
def deletes_namespaces(objects: Objects) -> None:
    _allow(objects, "", ["namespaces"], ["delete"])


@manifest_sabotage("rbac-no-destructive", "the operator deletes deployments")
def operator_deletes_deployments(objects: Objects) -> None:
    _rule_about(objects, "deployments", OPERATOR)["verbs"].append("delete")


@manifest_sabotage("rbac-reader-cannot-exec", "the reader may get pods/exec, which is enough")
def gets_exec(objects: Objects) -> None:
    _allow(objects, "", ["pods/exec"], ["get"])


@manifest_sabotage("rbac-reader-cannot-exec", "the reader forwards ports")
def forwards_ports(objects: Objects) -> None:
    _allow(objects, "", ["pods/portforward"], ["create"])


@manifest_sabotage("rbac-no-indirect-escalation", "the reader makes pods and tokens")
def makes_pods_and_tokens(objects: Objects) -> None:
    _allow(objects, "", ["pods", "serviceaccounts/token"], ["create"])


@manifest_sabotage("rbac-no-indirect-escalation", "the reader gets to the kubelets")
def kubelets(objects: Objects) -> None:
    _allow(objects, "", ["nodes/proxy"], ["get"])


@manifest_sabotage("rbac-operator-is-opt-in", "the operator's binding stands in the base")
def operator_in_the_base(objects: Objects) -> None:
    if any(each["metadata"]["name"] == OPERATOR for each in objects):
        raise SabotageError("the operator is here already")
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]}]
    meta = {"name": OPERATOR}
    objects.append({"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": meta, "rules": rules})
    _bind(objects, "ClusterRoleBinding", OPERATOR, "ClusterRole", OPERATOR)


@manifest_sabotage(
    "rbac-operator-really-works", "exec is granted for POST alone, and kubectl asks with GET first"
)
def exec_by_post_alone(objects: Objects) -> None:
    _rule_about(objects, "pods/exec", OPERATOR)["verbs"] = ["create"]


@manifest_sabotage(
    "rbac-operator-really-works",
    "exec is granted for GET alone, and kubectl without websockets asks with POST",
)
def exec_by_get_alone(objects: Objects) -> None:
    _rule_about(objects, "pods/exec", OPERATOR)["verbs"] = ["get"]


@manifest_sabotage("rbac-operator-really-works", "deployments/rollout is granted, which does not exist")
def rollout_alone(objects: Objects) -> None:
    _rule_about(objects, "deployments", OPERATOR)["resources"] = ["deployments/rollout"]


@manifest_sabotage("rbac-rules-name-real-resources", "a rule names deployments/rollout, which does not exist")
def invented_resource(objects: Objects) -> None:
    _rule_about(objects, "deployments")["resources"].append("deployments/rollout")


@manifest_sabotage("rbac-events-for-describe", "the reader may not read events")
def no_events(objects: Objects) -> None:
    for rule in _rules(objects):
        rule["resources"] = [each for each in rule["resources"] if each != "events"] or ["leases"]


@manifest_sabotage("rbac-sa-token-usable-in-pod", "the pod gets no token")
def pod_without_token(objects: Objects) -> None:
    _pod(objects)["automountServiceAccountToken"] = False


@manifest_sabotage("rbac-golden-audit", "the reader may create events, which nobody reviewed")
def unreviewed_verb(objects: Objects) -> None:
    _allow(objects, "", ["events"], ["create"])


@manifest_sabotage("rbac-golden-audit", "the reader lost its rule about jobs")
def lost_rule(objects: Objects) -> None:
    rules = _rules(objects)
    rules.remove(_rule_about(objects, "jobs"))


@manifest_sabotage("rbac-namespaced-mode", "the namespaced tier binds its account everywhere all the same")
def bound_everywhere(objects: Objects) -> None:
    subject = dict(find(objects, "RoleBinding", READER)["subjects"][0])
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}
    binding = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "claude-view"}}
    objects.append(binding | {"roleRef": reference, "subjects": [subject]})
