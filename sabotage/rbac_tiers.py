"""Changes of what a tier brings that nobody asks the API server about: rules of one namespace, say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boxproof.deployment.sabotage_ways import Objects, edited, find, image_sabotage, manifest_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage
from sabotage.box_parts import OPERATOR, RBAC, READER, named_role, pod_of


def _of_one_namespace(objects: Objects) -> list[dict[str, Any]]:
    """Return the rules of the Role in the place of the reader's ClusterRole; no other tier has one."""
    rules: list[dict[str, Any]] = find(objects, "Role", READER)["rules"]
    return rules


def _allow(objects: Objects, group: str, resource: str, *verbs: str) -> None:
    rule = {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
    _of_one_namespace(objects).append(rule)


@manifest_sabotage("rbac-no-wildcards", "bound to one namespace the reader reads all there is in it")
def all_of_one_namespace(objects: Objects) -> None:
    _allow(objects, "*", "*", "get", "list", "watch")


@manifest_sabotage("rbac-no-secrets", "bound to one namespace the reader reads its Secrets")
def secrets_of_one_namespace(objects: Objects) -> None:
    _allow(objects, "", "secrets", "get", "list")


@manifest_sabotage("rbac-no-rbac-mutation", "bound to one namespace the reader makes bindings there")
def bindings_of_one_namespace(objects: Objects) -> None:
    _allow(objects, RBAC, "rolebindings", "create", "patch")


@manifest_sabotage("rbac-no-way-past-the-policies", "bound to one namespace the reader reaches its Services")
def services_of_one_namespace(objects: Objects) -> None:
    _allow(objects, "", "services/proxy", "get", "create")


@manifest_sabotage("rbac-reader-cannot-exec", "bound to one namespace the reader enters its pods")
def pods_of_one_namespace(objects: Objects) -> None:
    _allow(objects, "", "pods/exec", "get", "create")


@manifest_sabotage("rbac-no-destructive", "bound to one namespace the reader changes its settings")
def settings_of_one_namespace(objects: Objects) -> None:
    _allow(objects, "", "configmaps", "patch")


@manifest_sabotage("rbac-rules-name-real-resources", "the Role names ingresses in the group they left")
def ingresses_of_before(objects: Objects) -> None:
    _allow(objects, "extensions", "ingresses", "get", "list", "watch")


@manifest_sabotage("rbac-no-secrets", "the component that serves it brings a role that others fill")
def filled_by_others(objects: Objects) -> None:
    """Nothing stands in the role itself."""
    find(objects, "NetworkPolicy", "claude-api")  # in that tier alone
    named_role(objects, "claude-api", {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})
    role = find(objects, "Role", "claude-api")
    role |= {"kind": "ClusterRole", "rules": []}
    role["metadata"] = {"name": "claude-api"}
    labels = {f"{RBAC}/aggregate-to-edit": "true"}
    role["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": labels}]}
    find(objects, "RoleBinding", "claude-api")["roleRef"]["kind"] = "ClusterRole"


@manifest_sabotage("rbac-dedicated-sa", "the pod of the proxy runs under the agent's account")
def account_of_the_proxy(objects: Objects) -> None:
    proxy = pod_of(objects, "Deployment")
    proxy["serviceAccountName"] = pod_of(objects)["serviceAccountName"]
    proxy.pop("automountServiceAccountToken")


@manifest_sabotage("rbac-no-indirect-escalation", "the operator's binding is one of the whole cluster")
def operator_everywhere(objects: Objects) -> None:
    binding = find(objects, "RoleBinding", OPERATOR)
    binding["kind"] = "ClusterRoleBinding"
    del binding["metadata"]["namespace"]


def _condition(objects: Objects) -> dict[str, Any]:
    policy: dict[str, Any] = find(objects, "ValidatingAdmissionPolicy", OPERATOR)["spec"]
    condition: dict[str, Any] = policy["matchConditions"][0]
    return condition


@manifest_sabotage("rbac-nobody-elses-rights", "the policy is about everybody but the system")
def policy_for_everybody(objects: Objects) -> None:
    name = "request.userInfo.username"
    kept = f'!{name}.startsWith("system:serviceaccount:kube-system:")'
    _condition(objects)["expression"] = f'{name}.startsWith("system:serviceaccount:") && {kept}'


@manifest_sabotage("rbac-operator-restarts-only", "the policy holds in the agent's own namespace alone")
def policy_of_one_namespace(objects: Objects) -> None:
    binding = find(objects, "ValidatingAdmissionPolicyBinding", OPERATOR)
    space = {"kubernetes.io/metadata.name": find(objects, "Namespace")["metadata"]["name"]}
    binding["spec"]["matchResources"] = {"namespaceSelector": {"matchLabels": space}}


TEMPLATES = "chart/templates"
NAME = "{{ .values.serviceAccount.name }}"


@subject_sabotage("rbac-operator-restarts-only", "the chart's policy is about the usual account")
def policy_for_the_usual_account(directory: Path) -> None:
    path = directory / TEMPLATES / "rbac-operator.yaml"
    replace_in(path, f'endsWith(":{NAME}")', 'endsWith(":claude-agent")')


@subject_sabotage("rbac-operator-restarts-only", "bound to one namespace the chart leaves its policy out")
def no_policy_in_one_namespace(directory: Path) -> None:
    """A policy lives outside namespaces, and who installs into one alone may make none."""
    path = directory / TEMPLATES / "rbac-operator.yaml"
    replace_in(
        path, "---\n# What RBAC cannot", "{{- if not .values.rbac.namespaced }}\n---\n# What RBAC cannot"
    )
    replace_in(path, "  validationActions: [Deny]\n", "  validationActions: [Deny]\n{{- end }}\n")


@subject_sabotage("rbac-subject-exists-and-matches", "one binding of the chart names the usual account")
def binding_for_the_usual_account(directory: Path) -> None:
    path = directory / TEMPLATES / "rbac-namespaced.yaml"
    replace_in(path, f"    name: {NAME}\n", "    name: claude-agent\n")


@subject_sabotage("rbac-operator-is-opt-in", "what a fleet says of one agent is not heard")
def operator_of_all_alone(directory: Path) -> None:
    path = directory / TEMPLATES / "rbac-operator.yaml"
    replace_in(path, "if and .values.rbac.create .values.rbac.operator", "if $.Values.rbac.operator")


EACH_PROMPT = r's/^( +)self\.starting \+= 1$/\1os.system("kubectl annotate pod $HOSTNAME asked=1")\n&/'
image_sabotage(
    "notes_each_prompt", "rbac-no-forbidden-lines", "the service writes a note on its pod with each prompt",
    dockerfile=edited("/usr/local/lib/box/prompts.py", EACH_PROMPT),
)  # fmt: skip


@manifest_sabotage("rbac-operator-restarts-only", "what the policy cannot evaluate is let by")
def lets_by_what_fails(objects: Objects) -> None:
    find(objects, "ValidatingAdmissionPolicy", OPERATOR)["spec"]["failurePolicy"] = "Ignore"
