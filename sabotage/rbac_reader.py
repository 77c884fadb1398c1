"""Changes that give the reader too much, too little, or nothing at all."""

from __future__ import annotations

from boxproof.deployment.sabotage_ways import Objects, edited, find, image_sabotage, manifest_sabotage
from sabotage.box_parts import OPERATOR, RBAC, READER, allow, bind, by_name, named_role, rule_about, rules_of


@manifest_sabotage("rbac-no-wildcards", "the reader has every verb on everything")
def wildcard_rule(objects: Objects) -> None:
    allow(objects, "*", ["*"], ["*"])


@manifest_sabotage("rbac-no-wildcards", "the reader may read the status of every workload there will be")
def below_every_resource(objects: Objects) -> None:
    allow(objects, "apps", ["*/status"], ["get"])


@manifest_sabotage("rbac-no-wildcards", "the account is bound to the built-in cluster-admin")
def cluster_admin(objects: Objects) -> None:
    bind(objects, "ClusterRoleBinding", "claude-admin", "ClusterRole", "cluster-admin")


@manifest_sabotage("rbac-reader-can-read", "the rule about workloads is missing")
def no_workloads(objects: Objects) -> None:
    rules_of(objects).remove(rule_about(objects, "deployments"))


@manifest_sabotage("rbac-pods-log", "the right to logs is missing")
def no_logs(objects: Objects) -> None:
    rule_about(objects, "pods/log")["resources"].remove("pods/log")


@manifest_sabotage("rbac-no-secrets", "secrets are among what the reader reads")
def reads_secrets(objects: Objects) -> None:
    rule_about(objects, "pods")["resources"].append("secrets")


@manifest_sabotage("rbac-no-secrets", "a role of its own opens one secret by name")
def one_secret(objects: Objects) -> None:
    secret = find(objects, "Secret")["metadata"]
    meta = {"name": "claude-secret", "namespace": secret["namespace"]}
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": [secret["name"]]}
    objects.append({"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": meta, "rules": [rule]})
    bind(objects, "RoleBinding", "claude-secret", "Role", "claude-secret")


@manifest_sabotage(
    "rbac-no-secrets", "the account has the built-in role edit in its namespace, secrets among it"
)
def edits_its_namespace(objects: Objects) -> None:
    bind(objects, "RoleBinding", "claude-edit", "ClusterRole", "edit")


@manifest_sabotage("rbac-no-rbac-mutation", "the reader writes and binds roles")
def writes_roles(objects: Objects) -> None:
    allow(objects, RBAC, ["clusterroles", "clusterrolebindings"], ["create", "patch", "bind", "escalate"])


@manifest_sabotage("rbac-no-rbac-mutation", "the reader speaks in the name of others")
def impersonates(objects: Objects) -> None:
    allow(objects, "", ["users", "groups"], ["impersonate"])


@manifest_sabotage("rbac-no-destructive", "the reader deletes namespaces")
def deletes_namespaces(objects: Objects) -> None:
    allow(objects, "", ["namespaces"], ["delete"])


@manifest_sabotage("rbac-no-destructive", "the operator deletes deployments")
def operator_deletes_deployments(objects: Objects) -> None:
    rule_about(objects, "deployments", OPERATOR)["verbs"].append("delete")


@manifest_sabotage("rbac-reader-cannot-exec", "the reader may get pods/exec, which is enough")
def gets_exec(objects: Objects) -> None:
    allow(objects, "", ["pods/exec"], ["get"])


@manifest_sabotage("rbac-reader-cannot-exec", "the reader forwards ports")
def forwards_ports(objects: Objects) -> None:
    allow(objects, "", ["pods/portforward"], ["create"])


@manifest_sabotage("rbac-no-indirect-escalation", "the reader makes pods and tokens")
def makes_pods_and_tokens(objects: Objects) -> None:
    allow(objects, "", ["pods", "serviceaccounts/token"], ["create"])


@manifest_sabotage("rbac-no-indirect-escalation", "the reader gets to the kubelets")
def kubelets(objects: Objects) -> None:
    allow(objects, "", ["nodes/proxy"], ["get"])


@manifest_sabotage("rbac-rules-name-real-resources", "a rule names deployments/rollout, which does not exist")
def invented_resource(objects: Objects) -> None:
    rule_about(objects, "deployments")["resources"].append("deployments/rollout")


@manifest_sabotage("rbac-events-for-describe", "the reader may not read events")
def no_events(objects: Objects) -> None:
    for rule in rules_of(objects):
        rule["resources"] = [each for each in rule["resources"] if each != "events"] or ["leases"]


@manifest_sabotage("rbac-golden-audit", "the reader may create events, which nobody reviewed")
def unreviewed_verb(objects: Objects) -> None:
    allow(objects, "", ["events"], ["create"])


@manifest_sabotage("rbac-golden-audit", "the reader lost its rule about jobs")
def lost_rule(objects: Objects) -> None:
    rules = rules_of(objects)
    rules.remove(rule_about(objects, "jobs"))


@manifest_sabotage("rbac-no-wildcards", "the reader may get every address that is no resource")
def every_address(objects: Objects) -> None:
    rules_of(objects).append({"nonResourceURLs": ["*"], "verbs": ["get"]})


@manifest_sabotage("rbac-no-rbac-mutation", "the reader may rewrite its own role, by its name")
def rewrites_itself(objects: Objects) -> None:
    rules_of(objects).append(by_name(RBAC, "clusterroles", ["update", "escalate"], READER))


@manifest_sabotage("rbac-no-rbac-mutation", "the reader speaks for one user, by name")
def speaks_for_one(objects: Objects) -> None:
    rules_of(objects).append(by_name("", "users", ["impersonate"], "kubernetes-admin"))


@manifest_sabotage("rbac-no-secrets", "a role in kube-system opens one secret there")
def one_secret_of_the_system(objects: Objects) -> None:
    rule = by_name("", "secrets", ["get"], "bootstrap-token-abcdef")
    named_role(objects, "claude-bootstrap", rule, namespace="kube-system")


@manifest_sabotage("rbac-no-destructive", "a role in kube-system deletes pods there")
def deletes_in_the_system(objects: Objects) -> None:
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]}
    named_role(objects, "claude-sweeper", rule, namespace="kube-system")


@manifest_sabotage(
    "rbac-no-destructive", "everyone who is signed in may delete namespaces, the agent among them"
)
def everyone_deletes(objects: Objects) -> None:
    meta = {"name": "claude-everyone"}
    rules = [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["delete"]}]
    objects.append({"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": meta, "rules": rules})
    bind(objects, "ClusterRoleBinding", "claude-everyone", "ClusterRole", "claude-everyone")
    group = {"apiGroup": RBAC, "kind": "Group", "name": "system:authenticated"}
    find(objects, "ClusterRoleBinding", "claude-everyone")["subjects"] = [group]


@manifest_sabotage("rbac-no-destructive", "the operator deletes one namespace, by its name")
def operator_deletes_a_namespace(objects: Objects) -> None:
    rules_of(objects, OPERATOR).append(by_name("", "namespaces", ["delete"], "default"))


@manifest_sabotage("rbac-no-indirect-escalation", "the reader approves certificates of one signer")
def approves_certificates(objects: Objects) -> None:
    group = "certificates.k8s.io"
    rules_of(objects).append(by_name(group, "signers", ["approve"], "kubernetes.io/kube-apiserver-client"))
    allow(objects, group, ["certificatesigningrequests/approval"], ["update"])


@manifest_sabotage(
    "rbac-no-indirect-escalation", "the operator asks for the token of one account, by its name"
)
def one_token(objects: Objects) -> None:
    rules_of(objects, OPERATOR).append(by_name("", "serviceaccounts/token", ["create"], "default"))


@manifest_sabotage("rbac-reader-cannot-exec", "the reader may enter one pod, by its name")
def enters_one_pod(objects: Objects) -> None:
    named_role(objects, "claude-enter", by_name("", "pods/exec", ["get", "create"], "claude-egress-0"))


@manifest_sabotage("rbac-golden-audit", "the reader may update one ConfigMap, by its name")
def unreviewed_name(objects: Objects) -> None:
    rules_of(objects).append(by_name("", "configmaps", ["update"], "claude-config"))


@manifest_sabotage("rbac-golden-audit", "a role in another namespace lets it read leases")
def unreviewed_namespace(objects: Objects) -> None:
    rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get"]}
    named_role(objects, "claude-leases", rule, namespace="kube-node-lease")


image_sabotage(
    "looks_for_secrets", "rbac-no-forbidden-lines", "the entrypoint asks for the secrets of the namespace",
    dockerfile=edited("/usr/local/bin/entrypoint", "2i kubectl get secrets || :"),
)  # fmt: skip


@manifest_sabotage("rbac-reader-cannot-exec", "the reader may enter every pod")
def enters_every_pod(objects: Objects) -> None:
    allow(objects, "", ["pods/exec"], ["get", "create"])


@manifest_sabotage(
    "rbac-no-way-past-the-policies", "the reader reaches every Service by way of the API server"
)
def forwarded_to_services(objects: Objects) -> None:
    rules_of(objects).append({"apiGroups": [""], "resources": ["services/proxy"], "verbs": ["get"]})


@manifest_sabotage(
    "rbac-no-way-past-the-policies", "one pod is reached by way of the API server, by its name"
)
def forwarded_to_one_pod(objects: Objects) -> None:
    named_role(objects, "claude-forwarded", by_name("", "pods/proxy", ["get", "create"], "claude-egress-0"))


image_sabotage(
    "marks_its_pod", "rbac-no-forbidden-lines", "the box as shipped writes a note on its pod",
    dockerfile=edited(
        "/usr/local/bin/entrypoint",
        r's/^remote-control\) exec /remote-control) kubectl annotate pod "$HOSTNAME" up=1 || :; exec /',
    ),
)  # fmt: skip
