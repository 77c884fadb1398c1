"""What the operator may make of a workload, which rules of RBAC alone cannot say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from boxproof.core.session import RUN_LABEL, Session
from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Twins
from boxproof.kube.access_reviews import groups_of
from boxproof.kube.client import ApiError, Kube, Object
from boxproof.probes.pods.helper_pods import unique
from boxproof.probes.pods.probe_pods import CONTAINER, resting
from boxproof.subject.manifests.pod_specs import NO_NODE
from pytest_claims import claim, control, needs, observe, require
from pytest_claims.waiting import until
from suites.netpol.meant import proxy_of

REFUSED = require("the patch is refused", lambda ended: ended == "refused")
ADMITTED = require("the patch is admitted", lambda ended: ended == "admitted")
NOT_ENTERED = require("it may not enter the pod", lambda ended: ended == "refused")
DENIALS = (403, 422)
NO_STREAM = 400  # of an exec that no policy refuses, where the connection is not made a stream
NOTE = "boxproof.dev/in-force"
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
KINDS = ("Deployment", "StatefulSet", "DaemonSet")
KEPT = "example.com/kept"


def of_pods(**spec: Any) -> dict[str, Any]:
    """Return a patch of the pod template's spec."""
    return {"spec": {"template": {"spec": spec}}}


def of_container(**fields: Any) -> dict[str, Any]:
    """Return a patch of the only container."""
    return of_pods(containers=[{"name": CONTAINER} | fields])


def of_notes(**notes: str | None) -> dict[str, Any]:
    """Return a patch of the annotations of the pods."""
    return {"spec": {"template": {"metadata": {"annotations": notes}}}}


SECRET = {"name": "STOLEN", "valueFrom": {"secretKeyRef": {"name": "claude-token", "key": "token"}}}
OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "none", "uid": "none"}
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
    "a finalizer of its pods": {"spec": {"template": {"metadata": {"finalizers": ["example.com/held"]}}}},
    "an owner of its pods": {"spec": {"template": {"metadata": {"ownerReferences": [OWNER]}}}},
    "a name of its pods": {"spec": {"template": {"metadata": {"name": "another"}}}},
    "a note": {"metadata": {"annotations": {"example.com/note": "x"}}},
    "a finalizer": {"metadata": {"finalizers": ["example.com/held"]}},
    "an owner": {"metadata": {"ownerReferences": [OWNER]}},
    "labels of its own": {"metadata": {"labels": {"example.com/label": "x"}}},
    "a note on its pods": of_notes(**{"example.com/note": "x"}),
    "another note on its pods": of_notes(**{KEPT: "y"}),
    "no note on its pods": of_notes(**{KEPT: None}),
    "a later readiness": {"spec": {"minReadySeconds": 7}},
    "readiness at once": {"spec": {"minReadySeconds": None}},
}
HISTORY = {"spec": {"revisionHistoryLimit": 1}}
BY_HAND = {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}}
VOLUMES = {"whenDeleted": "Delete", "whenScaled": "Delete"}
OF_KIND: dict[str, dict[str, dict[str, Any]]] = {
    "Deployment": {
        "another history": HISTORY,
        "a pause": {"spec": {"paused": True}},
        "all at once": {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}},
    },
    "StatefulSet": {
        "its volumes": {"spec": {"persistentVolumeClaimRetentionPolicy": VOLUMES}},
        "by hand": BY_HAND,
    },
    "DaemonSet": {"another history": HISTORY, "by hand": BY_HAND},
}
RESTART = {"a restart": of_notes(**{"kubectl.kubernetes.io/restartedAt": "now"})}
SCALE: dict[str, dict[str, Any]] = {"another scale": {"spec": {"replicas": 3}}}


def made_of(kind: str, name: str, space: str, image: str) -> Object:
    """Return a workload without any pod, with something of everything that a patch could take away."""
    made = resting(name, space, image) | {"kind": kind}
    template = made["spec"]["template"]
    template["metadata"]["annotations"] = {KEPT: "x"}
    made["spec"]["minReadySeconds"] = 1
    if kind == "DaemonSet":
        del made["spec"]["replicas"]
        template["spec"]["nodeSelector"] = {NO_NODE: "none"}
    return made


def policy_of_ours(name: str, run: str) -> list[Object]:
    """Return a policy that refuses one note on workloads of one name, and its binding."""
    rules = {"apiGroups": ["apps"], "apiVersions": ["*"], "operations": ["UPDATE"]}
    rules |= {"resources": ["daemonsets", "deployments", "statefulsets"]}
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


def tried(kube: Kube, path: str, user: str, body: Object) -> str:
    """Return whether a patch would be admitted; nothing is changed."""
    how: dict[str, Any] = {"query": {"dryRun": "All"}, "headers": STRATEGIC}
    groups = groups_of(user) if user else ()
    try:
        kube.request("PATCH", path, body=body, impersonate=user, groups=groups, **how)
    except ApiError as error:
        if error.status not in DENIALS:
            raise
        return "refused"
    return "admitted"


def entered(kube: Kube, path: str, user: str, method: str) -> str:
    """Return whether an exec into a pod would be admitted; without a stream it runs nothing."""
    words = {"command": "true", "stdout": "true"}
    try:
        kube.request(method, f"{path}/exec", query=words, impersonate=user, groups=groups_of(user))
    except ApiError as error:
        if error.status not in (*DENIALS, NO_STREAM):
            raise
        return observe("exec", f"{method} {path}", "refused" if error.status in DENIALS else "admitted")
    return observe("exec", f"{method} {path}", "admitted")


@claim("rbac-operator-restarts-only")
@pytest.mark.parametrize("kind", KINDS)
def test_the_operator_restarts_and_changes_nothing_else(
    operator: Box, kube: Kube, session: Session, kind: str
) -> None:
    name, space = unique("patched"), operator.namespace
    kube.apply([made_of(kind, name, space, session.probe_image)])
    patch = partial(tried, kube, kube.path(kind, name, space))
    changes, meant = CHANGES | OF_KIND[kind], RESTART | ({} if kind == "DaemonSet" else SCALE)

    def patched(user: str, what: str, body: Object) -> str:
        return observe("patch", f"{user or 'the administrator'}: {what}", patch(user, body))

    with policies_in_force(policy_of_ours(name, session.run), partial(patch, ""), kube):
        for what, body in changes.items():
            with control(f"{what}: the administrator may"):
                REFUSED.fails(patched("", what, body))
            REFUSED(patched(operator.user, what, body))
        with control("what is refused is seen to be"):
            ADMITTED.fails(patched(operator.user, *next(iter(changes.items()))))
        for what, body in meant.items():
            ADMITTED(patched(operator.user, what, body))


@claim("netpol-unlisted-hosts-blocked")
@needs("tier:operator", "proxy")
def test_the_operator_enters_no_pod_of_its_proxy(
    operator: Box, kube: Kube, session: Session, twin: Twins
) -> None:
    """Who is in there gets to every address that the proxy may connect to, past its list."""
    name, space = unique("noted"), operator.namespace
    kube.apply([resting(name, space, session.probe_image)])
    labels = ",".join(f"{key}={value}" for key, value in proxy_of(operator).labels.items())
    pods = until(lambda: kube.list("Pod", space, labels), timeout=60, what="the proxy has a pod")
    paths = [kube.path("Pod", each["metadata"]["name"], space) for each in pods]
    note = partial(tried, kube, kube.path("Deployment", name, space), "")
    with policies_in_force(policy_of_ours(name, session.run), note, kube):
        other = kube.path("Pod", twin(namespace=space).name, space)
        for method in ("GET", "POST"):
            with control(f"another pod of its namespace is entered, with {method}"):
                NOT_ENTERED.fails(entered(kube, other, operator.user, method))
            for path in paths:
                NOT_ENTERED(entered(kube, path, operator.user, method))
