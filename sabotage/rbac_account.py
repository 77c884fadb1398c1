"""Changes of the agent's account: whose it is, what it is bound to, what its token opens."""

from __future__ import annotations

from pathlib import Path

from boxproof.deployment.sabotage_ways import Objects, edited, find, image_sabotage, manifest_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage
from sabotage.box_parts import RBAC, READER, by_name, named_role, pod_of


@manifest_sabotage("rbac-dedicated-sa", "the pod names no account and gets the default one")
def no_account(objects: Objects) -> None:
    del pod_of(objects)["serviceAccountName"]


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
    pod_of(objects)["serviceAccountName"] = "claude-agnet"


@manifest_sabotage("rbac-sa-token-usable-in-pod", "the pod gets no token")
def pod_without_token(objects: Objects) -> None:
    pod_of(objects)["automountServiceAccountToken"] = False


@manifest_sabotage("rbac-namespaced-mode", "the namespaced tier binds its account everywhere all the same")
def bound_everywhere(objects: Objects) -> None:
    subject = dict(find(objects, "RoleBinding", READER)["subjects"][0])
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}
    binding = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "claude-view"}}
    objects.append(binding | {"roleRef": reference, "subjects": [subject]})


@manifest_sabotage(
    "rbac-dedicated-sa", "the namespace's accounts, the default one among them, read one secret"
)
def accounts_of_the_namespace(objects: Objects) -> None:
    secret = find(objects, "Secret")["metadata"]["name"]
    named_role(objects, "claude-accounts", by_name("", "secrets", ["get"], secret))
    binding = find(objects, "RoleBinding", "claude-accounts")
    group = f"system:serviceaccounts:{binding['metadata']['namespace']}"
    binding["subjects"] = [{"apiGroup": RBAC, "kind": "Group", "name": group}]


@manifest_sabotage("rbac-subject-exists-and-matches", "the binding names all accounts of the cluster too")
def names_everybody(objects: Objects) -> None:
    group = {"apiGroup": RBAC, "kind": "Group", "name": "system:serviceaccounts"}
    find(objects, "ClusterRoleBinding", READER)["subjects"].append(group)


@manifest_sabotage("rbac-namespaced-mode", "the namespaced tier reads one more namespace")
def one_namespace_more(objects: Objects) -> None:
    subject = dict(find(objects, "RoleBinding", READER)["subjects"][0])
    meta = {"name": "claude-elsewhere", "namespace": "kube-public"}
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}
    binding = {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": meta, "roleRef": reference}
    objects.append(binding | {"subjects": [subject]})


@manifest_sabotage("rbac-sa-token-usable-in-pod", "the token in the pod is for another audience")
def token_for_somebody_else(objects: Objects) -> None:
    spec, place = pod_of(objects), "/var/run/secrets/kubernetes.io/serviceaccount"
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
    "kubectl_of_nobody", "rbac-subject-exists-and-matches", "the pod's kubectl shows nobody's token",
    dockerfile=edited("/usr/local/bin/kubectl", 's|box/kubectl "[$]@"|box/kubectl --token=nobody "$@"|'),
)  # fmt: skip


@subject_sabotage("rbac-namespaced-mode", "the Role lacks what the ClusterRole has, and was reviewed so")
def role_left_behind(directory: Path) -> None:
    rule = "  - apiGroups: [apps]\n    resources: [daemonsets, deployments, replicasets, statefulsets]\n"
    rule += "    verbs: [get, list, watch]\n"
    replace_in(directory / "manifests/components/namespaced/rbac-namespaced.yaml", rule, "")
    golden = directory / "manifests/golden/namespaced.txt"
    kept = [each for each in golden.read_text().splitlines(keepends=True) if ".apps [" not in each]
    golden.write_text("".join(kept))
