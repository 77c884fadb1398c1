"""What the operator may make of a workload, which rules of RBAC alone cannot say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from boxproof.core.session import RUN_LABEL, Session
from boxproof.deployment.box import Box
from boxproof.kube.access_reviews import groups_of
from boxproof.kube.client import ApiError, Kube, Object
from boxproof.probes.pods.helper_pods import unique
from boxproof.probes.pods.probe_pods import CONTAINER, resting
from pytest_claims import claim, control, observe, require
from pytest_claims.waiting import until

REFUSED = require("the patch is refused", lambda ended: ended == "refused")
ADMITTED = require("the patch is admitted", lambda ended: ended == "admitted")
DENIALS = (403, 422)
NOTE = "boxproof.dev/in-force"
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}


def of_pods(**spec: Any) -> dict[str, Any]:
    """Return a patch of the pod template's spec."""
    return {"spec": {"template": {"spec": spec}}}


def of_container(**fields: Any) -> dict[str, Any]:
    """Return a patch of the only container."""
    return of_pods(containers=[{"name": CONTAINER} | fields])


SECRET = {"name": "STOLEN", "valueFrom": {"secretKeyRef": {"name": "claude-token", "key": "token"}}}
CHANGES: dict[str, dict[str, Any]] = {
    "another image": of_container(image="example.com/another:1"),
    "another command": of_container(command=["sh", "-c", "env"]),
    "a Secret in the environment": of_container(env=[SECRET]),
    "another account": of_pods(serviceAccountName="default"),
    "the account's token": of_pods(automountServiceAccountToken=True),
    "a Secret as a volume": of_pods(volumes=[{"name": "stolen", "secret": {"secretName": "claude-token"}}]),
    "a container more": of_pods(containers=[{"name": "more", "image": "example.com/another:1"}]),
    "an init container": of_pods(initContainers=[{"name": "first", "image": "example.com/another:1"}]),
    "root": of_container(securityContext={"runAsUser": 0, "runAsNonRoot": False}),
    "another node": of_pods(nodeName="another"),
    "other labels of its pods": {"spec": {"template": {"metadata": {"labels": {"app": "claude-agent"}}}}},
    "a note": {"metadata": {"annotations": {"example.com/note": "x"}}},
    "a finalizer": {"metadata": {"finalizers": ["example.com/held"]}},
}
MEANT: dict[str, dict[str, Any]] = {
    "a restart": {
        "spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}
    },
    "another scale": {"spec": {"replicas": 0}},
}


def policy_of_ours(name: str, run: str) -> list[Object]:
    """Return a policy that refuses one note on one Deployment, and its binding."""
    rules = {"apiGroups": ["apps"], "apiVersions": ["*"], "operations": ["UPDATE"]}
    rules |= {"resources": ["deployments"]}
    notes = "object.metadata.annotations"
    noted = f"object.metadata.name == '{name}' && has({notes}) && '{NOTE}' in {notes}"
    spec = {
        "matchConstraints": {"resourceRules": [rules]},
        "validations": [{"expression": f"!({noted})", "message": "the policies are in force"}],
    }
    kinds: Object = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "metadata": {"name": name, "labels": {RUN_LABEL: run}},
    }
    bound = {"policyName": name, "validationActions": ["Deny"]}
    return [
        kinds | {"kind": "ValidatingAdmissionPolicy", "spec": spec},
        kinds | {"kind": "ValidatingAdmissionPolicyBinding", "spec": bound},
    ]


@contextmanager
def policies_in_force(made: list[Object], patched: Callable[[Object], str], kube: Kube) -> Iterator[None]:
    """Wait until policies that came after the box's are in force: the API server takes up all at once."""
    kube.apply(made)
    try:
        note = {"metadata": {"annotations": {NOTE: "x"}}}
        until(lambda: patched(note) == "refused", timeout=60, what="the API server has taken up the policies")
        yield
    finally:
        kube.delete(made)


@claim("rbac-operator-restarts-only")
def test_the_operator_restarts_and_changes_nothing_else(operator: Box, kube: Kube, session: Session) -> None:
    name, space = unique("patched"), operator.namespace
    kube.apply([resting(name, space, session.probe_image)])
    path = kube.path("Deployment", name, space)

    def tried(user: str, body: Object) -> str:
        """Return whether a patch would be admitted; nothing is changed."""
        groups = groups_of(user) if user else ()
        try:
            kube.request(
                "PATCH",
                path,
                body=body,
                query={"dryRun": "All"},
                headers=STRATEGIC,
                impersonate=user,
                groups=groups,
            )
        except ApiError as error:
            if error.status not in DENIALS:
                raise
            return "refused"
        return "admitted"

    def patched(user: str, what: str, body: Object) -> str:
        return observe("patch", f"{user or 'the administrator'}: {what}", tried(user, body))

    with policies_in_force(policy_of_ours(name, session.run), partial(tried, ""), kube):
        for what, body in CHANGES.items():
            with control(f"{what}: the administrator may"):
                REFUSED.fails(patched("", what, body))
            REFUSED(patched(operator.user, what, body))
        with control("what is refused is seen to be"):
            ADMITTED.fails(patched(operator.user, *next(iter(CHANGES.items()))))
        for what, body in MEANT.items():
            ADMITTED(patched(operator.user, what, body))
