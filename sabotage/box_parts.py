"""Parts of the box's objects that several sabotages change, and the right or the rule that some add."""

from __future__ import annotations

from typing import Any

from boxproof.deployment.sabotage_ways import Objects, find

READER, OPERATOR = "claude-reader", "claude-operator"
RBAC = "rbac.authorization.k8s.io"
ENFORCED = "pod-security.kubernetes.io/enforce"
STRICTEST_FIRST = ("restricted", "baseline", "privileged")
PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"]


def pod_of(objects: Objects, kind: str = "StatefulSet") -> dict[str, Any]:
    """Return the pod of the agent's workload, or of the one workload of another kind."""
    spec: dict[str, Any] = find(objects, kind)["spec"]["template"]["spec"]
    return spec


def agent_of(objects: Objects) -> dict[str, Any]:
    """Return the agent's container."""
    container: dict[str, Any] = pod_of(objects)["containers"][0]
    return container


def agent_policy(objects: Objects) -> dict[str, Any]:
    """Return what the agent's NetworkPolicy says."""
    spec: dict[str, Any] = find(objects, "NetworkPolicy", "claude-agent")["spec"]
    return spec


def let_out(objects: Objects, *rules: dict[str, Any]) -> None:
    """Add rules by which the agent may get out."""
    agent_policy(objects)["egress"].extend(rules)


def ports(port: int, *protocols: str) -> list[dict[str, Any]]:
    """Return one port of each protocol, as a rule has them."""
    return [{"protocol": each, "port": port} for each in protocols]


def but_private(port: int, *protocols: str) -> dict[str, Any]:
    """Return a rule that opens a port of every address but private ones: what tests on a LAN do not see."""
    peer = {"ipBlock": {"cidr": "0.0.0.0/0", "except": PRIVATE}}
    return {"to": [peer], "ports": ports(port, *(protocols or ("TCP",)))}


def rules_of(objects: Objects, role: str = READER) -> list[dict[str, Any]]:
    """Return the rules of a ClusterRole."""
    found: list[dict[str, Any]] = find(objects, "ClusterRole", role)["rules"]
    return found


def rule_about(objects: Objects, resource: str, role: str = READER) -> dict[str, Any]:
    """Return the rule of a ClusterRole that names a resource."""
    return next(each for each in rules_of(objects, role) if resource in each["resources"])


def allow(objects: Objects, group: str, resources: list[str], verbs: list[str], role: str = READER) -> None:
    """Add a rule to a ClusterRole."""
    rules_of(objects, role).append({"apiGroups": [group], "resources": resources, "verbs": verbs})


def by_name(group: str, resource: str, verbs: list[str], *names: str) -> dict[str, Any]:
    """Return a rule about some objects of a resource."""
    return {"apiGroups": [group], "resources": [resource], "verbs": verbs, "resourceNames": list(names)}


def bind(objects: Objects, kind: str, name: str, role_kind: str, role: str) -> None:
    """Bind the agent's account to a role, as the subject's own binding does."""
    subject = find(objects, "ClusterRoleBinding", READER)["subjects"][0]
    meta = {"name": name} | ({"namespace": subject["namespace"]} if kind == "RoleBinding" else {})
    reference = {"apiGroup": RBAC, "kind": role_kind, "name": role}
    binding = {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": meta, "roleRef": reference}
    objects.append(binding | {"subjects": [dict(subject)]})


def named_role(objects: Objects, name: str, rule: dict[str, Any], *, namespace: str = "") -> None:
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
    objects.append(binding | {"subjects": [subject]})


def lowered(objects: Objects, level: str = "baseline") -> None:
    """Have the namespace enforce no more than a level of Pod Security; a tier's lower one stays as it is."""
    labels = find(objects, "Namespace")["metadata"].setdefault("labels", {})
    if labels.get(ENFORCED) in STRICTEST_FIRST[: STRICTEST_FIRST.index(level)]:
        labels[ENFORCED] = level
