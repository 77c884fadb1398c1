"""Changes that give the agent's account too much, too little, or nothing at all."""

from __future__ import annotations

from typing import Any

from boxproof.deployment.sabotage_ways import Objects, edited, find, image_sabotage, manifest_sabotage
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


def _named_role(
    objects: Objects, name: str, rule: dict[str, Any], *, namespace: str = "", bound: bool = True
) -> None:
    """Add a Role of one rule (in another namespace, where one is named), bound to the agent's account."""
    subject = dict(find(objects, "ClusterRoleBinding", READER)["subjects"][0])
    meta = {"name": name, "namespace": namespace or subject["namespace"]}
    objects.append({"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": meta, "rules": [rule]})
    reference = {"apiGroup": RBAC, "kind": "Role", "name": name}
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": dict(meta),
        "roleRef": reference,
    }
    if bound:
        objects.append(binding | {"subjects": [subject]})


def _by_name(group: str, resource: str, verbs: list[str], *names: str) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": [resource], "verbs": verbs, "resourceNames": list(names)}


@manifest_sabotage("rbac-no-wildcards", "the reader may get every address that is no resource")
def every_address(objects: Objects) -> None:
    _rules(objects).append({"nonResourceURLs": ["*"], "verbs": ["get"]})


@manifest_sabotage("rbac-no-rbac-mutation", "the reader may rewrite its own role, by its name")
def rewrites_itself(objects: Objects) -> None:
    _rules(objects).append(_by_name(RBAC, "clusterroles", ["update", "escalate"], READER))


@manifest_sabotage("rbac-no-rbac-mutation", "the reader speaks for one user, by name")
def speaks_for_one(objects: Objects) -> None:
    _rules(objects).append(_by_name("", "users", ["impersonate"], "kubernetes-admin"))


@manifest_sabotage("rbac-no-secrets", "a role in kube-system opens one secret there")
def one_secret_of_the_system(objects: Objects) -> None:
    rule = _by_name("", "secrets", ["get"], "bootstrap-token-abcdef")
    _named_role(objects, "claude-bootstrap", rule, namespace="kube-system")


@manifest_sabotage("rbac-no-destructive", "a role in kube-system deletes pods there")
def deletes_in_the_system(objects: Objects) -> None:
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]}
    _named_role(objects, "claude-sweeper", rule, namespace="kube-system")


@manifest_sabotage(
    "rbac-no-destructive", "everyone who is signed in may delete namespaces, the agent among them"
)
def everyone_deletes(objects: Objects) -> None:
    meta = {"name": "claude-everyone"}
    rules = [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["delete"]}]
    objects.append({"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": meta, "rules": rules})
    _bind(objects, "ClusterRoleBinding", "claude-everyone", "ClusterRole", "claude-everyone")
    group = {"apiGroup": RBAC, "kind": "Group", "name": "system:authenticated"}
    find(objects, "ClusterRoleBinding", "claude-everyone")["subjects"] = [group]


@manifest_sabotage("rbac-no-destructive", "the operator deletes one namespace, by its name")
def operator_deletes_a_namespace(objects: Objects) -> None:
    _rules(objects, OPERATOR).append(_by_name("", "namespaces", ["delete"], "default"))


@manifest_sabotage("rbac-no-indirect-escalation", "the reader approves certificates of one signer")
def approves_certificates(objects: Objects) -> None:
    group = "certificates.k8s.io"
    _rules(objects).append(_by_name(group, "signers", ["approve"], "kubernetes.io/kube-apiserver-client"))
    _allow(objects, group, ["certificatesigningrequests/approval"], ["update"])


@manifest_sabotage(
    "rbac-no-indirect-escalation", "the operator asks for the token of one account, by its name"
)
def one_token(objects: Objects) -> None:
    _rules(objects, OPERATOR).append(_by_name("", "serviceaccounts/token", ["create"], "default"))


@manifest_sabotage("rbac-reader-cannot-exec", "the reader may enter one pod, by its name")
def enters_one_pod(objects: Objects) -> None:
    _named_role(objects, "claude-enter", _by_name("", "pods/exec", ["get", "create"], "claude-egress-0"))


@manifest_sabotage(
    "rbac-dedicated-sa", "the namespace's accounts, the default one among them, read one secret"
)
def accounts_of_the_namespace(objects: Objects) -> None:
    secret = find(objects, "Secret")["metadata"]["name"]
    _named_role(objects, "claude-accounts", _by_name("", "secrets", ["get"], secret))
    binding = find(objects, "RoleBinding", "claude-accounts")
    group = f"system:serviceaccounts:{binding['metadata']['namespace']}"
    binding["subjects"] = [{"apiGroup": RBAC, "kind": "Group", "name": group}]


@manifest_sabotage("rbac-subject-exists-and-matches", "the binding names all accounts of the cluster too")
def names_everybody(objects: Objects) -> None:
    group = {"apiGroup": RBAC, "kind": "Group", "name": "system:serviceaccounts"}
    find(objects, "ClusterRoleBinding", READER)["subjects"].append(group)


@manifest_sabotage("rbac-golden-audit", "the reader may update one ConfigMap, by its name")
def unreviewed_name(objects: Objects) -> None:
    _rules(objects).append(_by_name("", "configmaps", ["update"], "claude-config"))


@manifest_sabotage("rbac-golden-audit", "a role in another namespace lets it read leases")
def unreviewed_namespace(objects: Objects) -> None:
    rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get"]}
    _named_role(objects, "claude-leases", rule, namespace="kube-node-lease")


@manifest_sabotage("rbac-namespaced-mode", "the namespaced tier reads one more namespace")
def one_namespace_more(objects: Objects) -> None:
    subject = dict(find(objects, "RoleBinding", READER)["subjects"][0])
    meta = {"name": "claude-elsewhere", "namespace": "kube-public"}
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}
    binding = {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": meta, "roleRef": reference}
    objects.append(binding | {"subjects": [subject]})


@manifest_sabotage("rbac-operator-is-opt-in", "one right of the operator's, for one pod, stands in the base")
def one_right_in_the_base(objects: Objects) -> None:
    if any(each["metadata"]["name"] == OPERATOR for each in objects):
        raise SabotageError("the operator is here already")
    _named_role(objects, "claude-restart", _by_name("", "pods", ["delete"], "claude-agent-0"))


@manifest_sabotage("rbac-sa-token-usable-in-pod", "the token in the pod is for another audience")
def token_for_somebody_else(objects: Objects) -> None:
    spec, place = _pod(objects), "/var/run/secrets/kubernetes.io/serviceaccount"
    spec["automountServiceAccountToken"] = False
    authority = {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
    where = {
        "downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}
    }
    token = {"serviceAccountToken": {"path": "token", "audience": "somebody-else"}}
    spec["volumes"].append({"name": "account", "projected": {"sources": [token, authority, where]}})
    mount = {"name": "account", "mountPath": place, "readOnly": True}
    spec["containers"][0]["volumeMounts"].append(mount)


@manifest_sabotage("rbac-nobody-elses-rights", "the reader's rules become part of the cluster's role view")
def feeds_view(objects: Objects) -> None:
    meta = find(objects, "ClusterRole", READER)["metadata"]
    meta.setdefault("labels", {})[f"{RBAC}/aggregate-to-view"] = "true"


@manifest_sabotage("rbac-nobody-elses-rights", "the reader is bound to every account of its namespace")
def binds_the_namespace(objects: Objects) -> None:
    binding = find(objects, "ClusterRoleBinding", READER)
    group = f"system:serviceaccounts:{binding['subjects'][0]['namespace']}"
    binding["subjects"].append({"apiGroup": RBAC, "kind": "Group", "name": group})


image_sabotage(
    "looks_for_secrets", "rbac-no-forbidden-lines", "the entrypoint asks for the secrets of the namespace",
    dockerfile=edited("/usr/local/bin/entrypoint", "2i kubectl get secrets || :"),
)  # fmt: skip


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


@manifest_sabotage("rbac-reader-cannot-exec", "the reader may enter every pod")
def enters_every_pod(objects: Objects) -> None:
    _allow(objects, "", ["pods/exec"], ["get", "create"])
