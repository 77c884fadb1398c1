"""What no tier may, whatever it is called: read from the rules that its objects bring, as they are rendered.

The checks beside these ask the API server about the two tiers that are there for rights. Any component can
bring one, and a list of what was reviewed is the subject's own: whoever gives more amends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from boxproof.deployment.box import Box
from boxproof.kube.access_reviews import Question, groups_of
from boxproof.kube.client import Kube, Object
from boxproof.kube.discovery import discover
from boxproof.kube.rules import RBAC, about, about_roles, among, changing, filled
from boxproof.subject.manifests.pod_specs import pod_spec
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require
from suites.rbac.conftest import decoy
from suites.rbac.rights import brought
from suites.rbac.test_proxies import FORWARDED
from suites.rbac.test_reader import OPENED

Tiers = Mapping[str, Box]
NO_WILDCARD = require("no rule that a tier brings has a wildcard", lambda roles: roles == [])
NO_SECRET = require("no tier brings a right to secrets", lambda found: found == [])
NO_ROLE = require("no tier brings a right to change roles or to speak for others", lambda found: found == [])
NOT_FORWARDED = require("no tier brings a way through the API server", lambda found: found == [])
NO_STREAM = require("no tier but the operator's brings a stream", lambda found: found == [])
CHANGES_NOTHING = require("no tier but the operator's brings a change", lambda found: found == [])
SERVED = require("the API has every pair that the roles of a tier name", lambda unknown: unknown == [])
ITS_ALONE = require("no other pod of a tier runs under the agent's account", lambda pods: pods == [])


def with_right(
    tier: Box, group: str, resources: str, *verbs: str, names: tuple[str, ...] = ()
) -> list[Object]:
    """Return the objects of a tier, with one right more for its agent's account."""
    made = decoy("one-more", tier.namespace, group, resources, verbs, names)
    made[2]["subjects"][0]["name"] = tier.account
    return [*tier.objects, *made[1:]]


def brings(
    kube: Kube, name: str, tier: Box, objects: Sequence[Object], wanted: Callable[[Question], bool]
) -> list[str]:
    """Return which of the rights that objects bring the agent of a tier are ``wanted``; an observation."""
    found = sorted(str(each) for each in brought(kube, tier.user, objects) if wanted(each))
    return observe("brought by a tier", name, found)


def quieter(tiers: Tiers, subject: Subject) -> Iterator[tuple[str, Box]]:
    """Give the tiers that have nothing of the operator's."""
    operators = set(subject.tiers.get("operator", ()))
    yield from ((name, tier) for name, tier in tiers.items() if not operators & set(tier.components))


@claim("rbac-no-wildcards")
@needs("box")
def test_no_rule_of_any_tier_has_a_wildcard(tiers_as_rendered: Tiers, kube: Kube) -> None:
    roles = kube.list("ClusterRole")  # a binding may be to a role of the cluster's

    def wildcards(name: str, tier: Box, objects: Sequence[Object]) -> list[str]:
        reaching = among(filled([*roles, *objects]), tier.user, groups_of(tier.user))
        found = sorted({each.role for each in reaching if any(rule.has_wildcard for rule in each.rules)})
        return observe("wildcards of a tier", name, found)

    default = tiers_as_rendered["default"]
    with control("a rule more with every resource, and one with every verb, are seen"):
        NO_WILDCARD.fails(wildcards("default", default, with_right(default, "apps", "*", "get")))
        NO_WILDCARD.fails(wildcards("default", default, with_right(default, "", "pods", "*")))
    for name, tier in tiers_as_rendered.items():
        NO_WILDCARD(wildcards(name, tier, tier.objects))


@claim("rbac-no-secrets")
@needs("box")
def test_no_tier_brings_a_right_to_secrets(tiers_as_rendered: Tiers, kube: Kube) -> None:
    def secret(question: Question) -> bool:
        return about(question, "secrets", "secrets/*")

    default = tiers_as_rendered["default"]
    with control("one Secret that may be read, by its name, is seen"):
        one = with_right(default, "", "secrets", "get", names=("of-this-name-alone",))
        NO_SECRET.fails(brings(kube, "default", default, one, secret))
    for name, tier in tiers_as_rendered.items():
        NO_SECRET(brings(kube, name, tier, tier.objects, secret))


@claim("rbac-no-rbac-mutation")
@needs("box")
def test_no_tier_changes_roles_or_speaks_for_others(tiers_as_rendered: Tiers, kube: Kube) -> None:
    default = tiers_as_rendered["default"]
    with control("bindings that may be made, and one user who may be spoken for, are seen"):
        binds = with_right(default, RBAC, "rolebindings", "create")
        NO_ROLE.fails(brings(kube, "default", default, binds, about_roles))
        speaks = with_right(default, "", "users", "impersonate", names=("one",))
        NO_ROLE.fails(brings(kube, "default", default, speaks, about_roles))
    for name, tier in tiers_as_rendered.items():
        NO_ROLE(brings(kube, name, tier, tier.objects, about_roles))


@claim("rbac-no-way-past-the-policies")
@needs("box")
def test_no_tier_is_forwarded(tiers_as_rendered: Tiers, kube: Kube) -> None:
    def way(question: Question) -> bool:
        return about(question, *FORWARDED)

    default = tiers_as_rendered["default"]
    with control("one pod that is reached by its name is seen"):
        one = with_right(default, "", "pods/proxy", "get", names=("one",))
        NOT_FORWARDED.fails(brings(kube, "default", default, one, way))
    for name, tier in tiers_as_rendered.items():
        NOT_FORWARDED(brings(kube, name, tier, tier.objects, way))


@claim("rbac-reader-cannot-exec")
@needs("box")
def test_no_tier_of_a_reader_opens_a_stream(tiers_as_rendered: Tiers, kube: Kube, subject: Subject) -> None:
    def stream(question: Question) -> bool:
        return about(question, *OPENED)

    default = tiers_as_rendered["default"]
    with control("one pod that may be entered, by its name, is seen"):
        one = with_right(default, "", "pods/exec", "get", names=("one",))
        NO_STREAM.fails(brings(kube, "default", default, one, stream))
    for name, tier in quieter(tiers_as_rendered, subject):
        NO_STREAM(brings(kube, name, tier, tier.objects, stream))


@claim("rbac-no-destructive")
@needs("box")
def test_no_tier_of_a_reader_changes_anything(tiers_as_rendered: Tiers, kube: Kube, subject: Subject) -> None:
    def change(question: Question) -> bool:
        return bool(changing([question]))

    default = tiers_as_rendered["default"]
    with control("one ConfigMap that may be written, by its name, is seen"):
        one = with_right(default, "", "configmaps", "patch", names=("one",))
        CHANGES_NOTHING.fails(brings(kube, "default", default, one, change))
    for name, tier in quieter(tiers_as_rendered, subject):
        CHANGES_NOTHING(brings(kube, name, tier, tier.objects, change))


@claim("rbac-rules-name-real-resources")
@needs("box")
def test_the_rules_of_every_tier_name_what_the_api_has(tiers_as_rendered: Tiers, kube: Kube) -> None:
    known = {(each.group, each.name) for each in discover(kube)}

    def unserved(name: str, objects: Sequence[Object]) -> list[str]:
        user = tiers_as_rendered[name].user
        rules = [rule for each in among(filled(objects), user, groups_of(user)) for rule in each.rules]
        pairs = {pair for rule in rules for pair in rule.pairs()}
        shown = sorted(f"{resource}.{group}".rstrip(".") for group, resource in pairs - known)
        return observe("not served", f"tier {name}", shown)

    with control("a resource in a group that it has left is seen"):
        left = with_right(tiers_as_rendered["default"], "extensions", "ingresses", "get")
        SERVED.fails(unserved("default", left))
    for name, tier in tiers_as_rendered.items():
        SERVED(unserved(name, tier.objects))


@claim("rbac-dedicated-sa")
@needs("box")
def test_no_other_pod_of_any_tier_has_the_agents_account(tiers_as_rendered: Tiers) -> None:
    """Whoever gets into that one would be the agent to the API server."""

    def sharing(name: str, tier: Box, objects: Sequence[Object]) -> list[str]:
        own = (tier.workload["kind"], tier.name)
        found = [
            f"{each['kind']}/{each['metadata']['name']}"
            for each in objects
            if (each["kind"], each["metadata"]["name"]) != own
            and (spec := pod_spec(each)) is not None
            and spec.get("serviceAccountName", "default") == tier.account
        ]
        return observe("pods with the agent's account", name, sorted(found))

    default = tiers_as_rendered["default"]
    with control("a pod beside the agent's that runs under its account is seen"):
        beside: Object = {"kind": "Pod", "metadata": {"name": "beside", "namespace": default.namespace}}
        beside["spec"] = {"serviceAccountName": default.account, "containers": []}
        ITS_ALONE.fails(sharing("default", default, [*default.objects, beside]))
    for name, tier in tiers_as_rendered.items():
        ITS_ALONE(sharing(name, tier, tier.objects))
