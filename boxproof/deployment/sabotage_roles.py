"""Objects by what they are to the agent, for sabotages that name them as our own box calls them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from boxproof.subject.manifests import pod_specs, starting
from pytest_claims.faults import SubjectFault
from pytest_claims.own_process import PROCESS

if TYPE_CHECKING:
    from boxproof.subject.model import Subject

Object = dict[str, Any]
Objects = list[Object]
RBAC = "rbac.authorization.k8s.io"
OF_THE_HARNESS = "boxproof-sabotage"  # a role where the box has none


class Roles(threading.local):
    """Whose agent the roles are played to, in this thread."""

    subject: Subject | None = None


@contextmanager
def about(subject: Subject | None) -> Iterator[None]:
    """Have roles be those of a subject's agent for the length of the block."""
    roles = PROCESS.get(Roles)
    before, roles.subject = roles.subject, subject
    try:
        yield
    finally:
        roles.subject = before


def played(objects: Objects, kind: str, name: str) -> Object | None:
    """Return the object that plays the role of our own box's object ``kind`` ``name``, None if there is none.

    Of a box without rights the role, and the binding to the agent's account, are made: a sabotage that gives
    too much gives it there too.
    """
    role = ROLES.get((kind, name))
    try:
        workload = pod_specs.agent(objects, PROCESS.get(Roles).subject)
    except SubjectFault:
        return None
    return role(objects, workload) if role else None


def _workload(_objects: Objects, workload: Object) -> Object:
    return workload


def _beside(objects: Objects, workload: Object) -> Object | None:
    """Return another workload that stays: what runs beside the agent."""
    others = (each for each in objects if each["kind"] in pod_specs.KINDS[:3] and each is not workload)
    return next(others, None)


def _policy(objects: Objects, workload: Object) -> Object | None:
    """Return the policy that selects the agent's pod, of several one about what goes out."""
    labels = (workload.get("spec") or {}).get("template", workload)["metadata"].get("labels") or {}
    found = [each for each in objects if each["kind"] == "NetworkPolicy" and _selects(each, labels)]
    return min(found, key=lambda each: "egress" not in each["spec"], default=None)


def _selects(policy: Object, labels: Mapping[str, str]) -> bool:
    wanted = ((policy.get("spec") or {}).get("podSelector") or {}).get("matchLabels") or {}
    return wanted.items() <= labels.items()


def _account(workload: Object) -> Object:
    named = (pod_specs.pod_spec(workload) or {}).get("serviceAccountName") or "default"
    space = workload["metadata"].get("namespace", "default")
    return {"kind": "ServiceAccount", "name": named, "namespace": space}


def _bindings(objects: Objects, workload: Object) -> Objects:
    """Return the bindings that name the agent's account, those of the cluster first."""
    account = _account(workload)
    kinds = ("ClusterRoleBinding", "RoleBinding")
    found = [each for each in objects if each["kind"] in kinds and _names(each, account)]
    return sorted(found, key=lambda each: kinds.index(each["kind"]))


def _names(binding: Object, account: Object) -> bool:
    space = binding["metadata"].get("namespace")
    return any(
        {"namespace": space} | each | {"apiGroup": ""} == account | {"apiGroup": ""}
        for each in binding.get("subjects") or ()
    )


def _binding(objects: Objects, workload: Object) -> Object:
    """Return a binding of the agent's account; where there is none, one that is not applied."""
    found = _bindings(objects, workload)
    return found[0] if found else {"kind": "ClusterRoleBinding", "subjects": [_account(workload)]}


def _role(objects: Objects, workload: Object) -> Object:
    """Return the role that is bound to the agent's account; where there is none, one made and bound now."""
    for binding in _bindings(objects, workload):
        reference = binding["roleRef"]
        for each in objects:
            if (each["kind"], each["metadata"]["name"]) == (reference["kind"], reference["name"]):
                return each
    role: Object = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole",
                    "metadata": {"name": OF_THE_HARNESS}, "rules": []}  # fmt: skip
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": OF_THE_HARNESS}
    binding = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRoleBinding",
               "metadata": {"name": OF_THE_HARNESS}, "roleRef": reference}  # fmt: skip
    objects += [role, binding | {"subjects": [_account(workload)]}]
    return role


def _login(objects: Objects, _workload: Object) -> Object | None:
    secrets = (each for each in objects if each["kind"] == "Secret")
    return next((each for each in secrets if each["metadata"]["name"] == starting.LOGIN), None)


ROLES: dict[tuple[str, str], Callable[[Objects, Object], Object | None]] = {
    ("StatefulSet", ""): _workload,
    ("StatefulSet", "claude-agent"): _workload,
    ("Deployment", ""): _beside,
    ("NetworkPolicy", "claude-agent"): _policy,
    ("ClusterRoleBinding", "claude-reader"): _binding,
    ("ClusterRole", "claude-reader"): _role,
    ("Secret", "claude-token"): _login,
}
