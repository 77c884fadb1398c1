"""Changes of the agent's rights that are seen later, or on others' objects: what no try at once shows."""

from __future__ import annotations

from boxproof.deployment.sabotage_ways import Objects, find, manifest_sabotage
from sabotage.box_parts import OPERATOR, agent_of, pod_of

PLACE = "/var/run/secrets/kubernetes.io/serviceaccount"
FILES = ("token", "ca.crt", "namespace")


@manifest_sabotage("rbac-sa-token-usable-in-pod", "the token is mounted as one file, which is never renewed")
def token_as_one_file(objects: Objects) -> None:
    pod = pod_of(objects)
    pod["automountServiceAccountToken"] = False
    authority = {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
    space = {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
    token = {"serviceAccountToken": {"path": "token"}}
    sources = [token, authority, {"downwardAPI": {"items": [space]}}]
    pod["volumes"].append({"name": "account", "projected": {"sources": sources}})
    for each in FILES:
        mount = {"name": "account", "mountPath": f"{PLACE}/{each}", "subPath": each, "readOnly": True}
        agent_of(objects)["volumeMounts"].append(mount)


@manifest_sabotage("rbac-operator-restarts-only", "the policy leaves out what has a label of controllers")
def labelled_left_out(objects: Objects) -> None:
    """As examples of webhooks do, for fear of shutting out themselves."""
    selector = {"matchExpressions": [{"key": "control-plane", "operator": "DoesNotExist"}]}
    policy = find(objects, "ValidatingAdmissionPolicy", OPERATOR)["spec"]
    policy["matchConstraints"]["objectSelector"] = selector
