"""What the objects say as they are written, with nothing of the harness in them."""

from __future__ import annotations

from typing import Any

from boxproof.subject.manifests.pod_specs import agent, floating, images, missing_resources, pod_spec
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from suites.packaging import bound_roles

pytestmark = scope("image")

Object = dict[str, Any]
Objects = list[Object]
LEAST = 60  # seconds, the claim's own
SOME = require("there is an image at all", lambda found: found != [])
NO_FLOATING = require("no image is named by latest or without a tag", lambda found: found == {})
ALL_RESOURCES = require("every container has requests and limits", lambda found: not any(found.values()))
LONG_ENOUGH = require(f"the grace period is {LEAST} s or more", lambda seconds: seconds >= LEAST)
OWN_ACCOUNT = require(
    "the pod names an account that is not default", lambda name: name not in ("", "default")
)
NONE_IN_DEFAULT = require("no object names the namespace default", lambda found: found == [])
NO_WILDCARD = require("no rule of a role has a wildcard", lambda found: found == [])
WITH_EGRESS = require("egress rules come with Egress in policyTypes", lambda found: found == [])
WRONG: Object = {
    "kind": "Pod",
    "metadata": {"name": "wrong", "namespace": "default"},
    "spec": {"containers": [{"name": "a", "image": "b"}]},
}
WRONG_ROLE: Object = {
    "kind": "ClusterRole",
    "metadata": {"name": "wrong"},
    "rules": [{"apiGroups": [""], "resources": ["*"], "verbs": ["get"]}],
}
WRONG_POLICY: Object = {
    "kind": "NetworkPolicy",
    "metadata": {"name": "wrong"},
    "spec": {"policyTypes": ["Ingress"], "egress": [{}]},
}


def spec_of(objects: Objects, subject: Subject | None) -> Object:
    """Return the pod spec of the agent."""
    return pod_spec(agent(objects, subject)) or {}


def grace(asked: str, spec: Object) -> int:
    """Return the grace period of a pod, 30 s where it says none; an observation."""
    return observe("grace period", asked, int(spec.get("terminationGracePeriodSeconds", 30)))


def wildcards(asked: str, objects: Objects) -> list[str]:
    """Return the roles with a wildcard; an observation."""
    roles = [each for each in objects if each["kind"] in ("Role", "ClusterRole")]
    found = [
        each["metadata"]["name"]
        for each in roles
        for rule in each.get("rules") or ()
        if any("*" in (rule.get(key) or ()) for key in ("apiGroups", "resources", "verbs"))
    ]
    return observe("roles with wildcards", asked, found)


def without_egress(asked: str, objects: Objects) -> list[str]:
    """Return the policies with egress rules that are not of the type; an observation."""
    policies = [each for each in objects if each["kind"] == "NetworkPolicy"]
    found = [
        each["metadata"]["name"]
        for each in policies
        if each["spec"].get("egress")
        and "Egress" not in (each["spec"].get("policyTypes") or ["Ingress", "Egress"])
    ]
    return observe("policies without the type Egress", asked, found)


def in_default(asked: str, objects: Objects) -> list[str]:
    """Return what is written to be in the namespace default; an observation."""
    found = [each["metadata"]["name"] for each in objects if each["metadata"].get("namespace") == "default"]
    return observe("objects in default", asked, found)


@claim("no-latest-in-manifests")
def test_no_image_floats_as_it_is_written(as_written: Objects) -> None:
    with control("an image without a tag is seen"):
        NO_FLOATING.fails(observe("floating images", "image: b", floating([WRONG])))
        SOME.fails(observe("images", "a role alone", sorted(images([WRONG_ROLE]).values())))
    SOME(observe("images", "the manifests", sorted(images(as_written).values())))
    NO_FLOATING(observe("floating images", "the manifests", floating(as_written)))


@claim("limits-and-requests-present")
def test_requests_and_limits_are_written(as_written: Objects) -> None:
    with control("a container without any is seen"):
        ALL_RESOURCES.fails(observe("missing resources", "a bare pod", missing_resources([WRONG])))
    ALL_RESOURCES(observe("missing resources", "the manifests", missing_resources(as_written)))


@claim("grace-period-60")
def test_the_grace_period_is_written(as_written: Objects, subject: Subject) -> None:
    with control("a pod that says none has 30 s"):
        LONG_ENOUGH.fails(grace("a bare pod", spec_of([WRONG], None)))
    LONG_ENOUGH(grace("the agent", spec_of(as_written, subject)))


@claim("rbac-dedicated-sa")
def test_an_account_of_its_own_is_written(as_written: Objects, subject: Subject) -> None:
    with control("a pod that names none is seen"):
        OWN_ACCOUNT.fails(
            observe("account", "a bare pod", spec_of([WRONG], None).get("serviceAccountName", ""))
        )
    OWN_ACCOUNT(observe("account", "the agent", spec_of(as_written, subject).get("serviceAccountName", "")))


@claim("dedicated-namespace")
def test_nothing_is_written_to_be_in_default(as_written: Objects) -> None:
    with control("an object in default is seen"):
        NONE_IN_DEFAULT.fails(in_default("a bare pod", [WRONG]))
    NONE_IN_DEFAULT(in_default("the manifests", as_written))


@claim("rbac-no-wildcards")
def test_no_wildcard_is_written(as_written: Objects, subject: Subject) -> None:
    with control("a rule with one is seen"):
        NO_WILDCARD.fails(wildcards("a rule with one", [WRONG_ROLE]))
    account = spec_of(as_written, subject).get("serviceAccountName") or "default"
    NO_WILDCARD(wildcards("the manifests", bound_roles.without_others(as_written, account)))


@claim("netpol-egress-type-present")
def test_egress_rules_are_of_the_type(as_written: Objects) -> None:
    with control("egress rules of a policy for ingress are seen"):
        WITH_EGRESS.fails(without_egress("egress rules of a policy for ingress", [WRONG_POLICY]))
    WITH_EGRESS(without_egress("the manifests", as_written))
