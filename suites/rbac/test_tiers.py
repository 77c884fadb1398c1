"""The accounts and rights of every tier, as they are rendered: what a component brings gives no more.

The checks beside these ask the API server about tiers that are there for rights. Any component can bring one.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from boxproof.deployment.box import Box
from boxproof.kube.access_reviews import Question, groups_of, what
from boxproof.kube.client import Kube, Object
from boxproof.kube.discovery import discover
from boxproof.kube.rules import among, subjects
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require
from suites.rbac.conftest import decoy
from suites.rbac.rights import brought, lines
from suites.rbac.test_others import fed, others, replaced, wrong_objects

AS_REVIEWED = require("a tier brings the rights that were reviewed, line by line", lambda drift: drift == [])
FEEDS_NOBODY = require("no role of a tier feeds another one", lambda found: found == [])
REPLACES_NONE = require("no tier replaces a role or binding of the cluster's own", lambda names: names == [])
NOBODY_ELSE = require("no binding of a tier names anybody but its own accounts", lambda found: found == [])
OF_ITS_OWN = require(
    "the pod of a tier names an account of its own", lambda name: name not in ("", "default")
)
POWERLESS = require("no binding of a tier reaches the default account", lambda found: found == [])
IT_ALONE = require(
    "the bindings of a tier name the pod's account alone", lambda named, own: set(named) <= {own}
)
BROUGHT = require("a tier brings the account that its bindings name", lambda found: found is True)
THE_SAME = require("bound to one namespace the rules are the same there", lambda differ: differ == [])
ONE_RIGHT = ("", "configmaps", ("update",), ("one",))


def gives(tier: Box, account: str, name: str = "one-more") -> list[Object]:
    """Return the objects of a tier, with a binding more that gives an account of its namespace one right."""
    made = decoy(name, tier.namespace, *ONE_RIGHT)
    made[2]["subjects"][0]["name"] = account
    return [*tier.objects, *made[1:]]


@claim("rbac-golden-audit")
@needs("box")
def test_every_tier_brings_what_was_reviewed(
    tiers_as_rendered: Mapping[str, Box], subject: Subject, kube: Kube
) -> None:
    """A tier without a reviewed file of its own is to have the default tier's rights."""

    def drift(name: str, objects: Sequence[Object]) -> list[str]:
        golden = subject.roles.golden
        path = subject.path(f"{golden}/{name}.txt") or subject.path(f"{golden}/default.txt")
        assert path, "what the default tier may do was never reviewed"
        reviewed = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        tier = tiers_as_rendered[name]
        now = lines(brought(kube, tier.user, objects), tier.namespace)
        found = difflib.unified_diff(reviewed, now, "reviewed", "brought", n=0, lineterm="")
        return observe("drift of a tier", name, list(found))

    with control("one right more, of one name, is a difference"):
        default = tiers_as_rendered["default"]
        AS_REVIEWED.fails(drift("default", gives(default, default.account)))
    for name, tier in tiers_as_rendered.items():
        AS_REVIEWED(drift(name, tier.objects))


@claim("rbac-nobody-elses-rights")
@needs("box")
def test_no_tier_concerns_anybody_else(tiers_as_rendered: Mapping[str, Box], kube: Kube) -> None:
    with control("a role that feeds view, one that replaces it, and a binding for all accounts are seen"):
        wrong = wrong_objects()
        FEEDS_NOBODY.fails(fed(kube, wrong[:1], "a decoy"))
        REPLACES_NONE.fails(replaced(kube, wrong, "a decoy"))
        NOBODY_ELSE.fails(others(wrong, "a decoy"))
    for name, tier in tiers_as_rendered.items():
        FEEDS_NOBODY(fed(kube, tier.objects, f"tier {name}"))
        REPLACES_NONE(replaced(kube, tier.objects, f"tier {name}"))
        NOBODY_ELSE(others(tier.objects, f"tier {name}"))


@claim("rbac-dedicated-sa")
@needs("box")
def test_no_tier_gives_the_default_account_a_right(tiers_as_rendered: Mapping[str, Box]) -> None:
    def reaching(name: str, objects: Sequence[Object]) -> list[str]:
        user = f"system:serviceaccount:{tiers_as_rendered[name].namespace}:default"
        found = among(objects, user, groups_of(user))
        return observe("bindings of the default account", name, sorted(each.binding for each in found))

    def account(name: str, said: str) -> str:
        return observe("account of a tier", name, said)

    with control("a binding more, for the default account, is seen, and a pod that names none"):
        POWERLESS.fails(reaching("default", gives(tiers_as_rendered["default"], "default")))
        OF_ITS_OWN.fails(account("a pod that names none", ""))
    for name, tier in tiers_as_rendered.items():
        POWERLESS(reaching(name, tier.objects))
        OF_ITS_OWN(account(name, str(tier.spec.get("serviceAccountName", ""))))


@claim("rbac-subject-exists-and-matches")
@needs("box")
def test_the_bindings_of_every_tier_name_the_account_of_its_pod(
    tiers_as_rendered: Mapping[str, Box],
) -> None:
    def named(name: str, objects: Sequence[Object]) -> list[tuple[str, str, str]]:
        return observe("named by a tier", name, sorted(set(subjects(objects))))

    def brings(tier: Box, name: str, account: str) -> bool:
        accounts = (each["metadata"] for each in tier.objects if each["kind"] == "ServiceAccount")
        found = any((each["name"], each["namespace"]) == (account, tier.namespace) for each in accounts)
        return observe("brings an account", f"{name}: {account}", found)

    for name, tier in tiers_as_rendered.items():
        own, wrong = ("ServiceAccount", tier.namespace, tier.account), f"{tier.account}-missing"
        with control(f"{name}: an account with a typing error is seen, and is not there"):
            IT_ALONE.fails(named(name, gives(tier, wrong)), own)
            BROUGHT.fails(brings(tier, name, wrong))
        IT_ALONE(named(name, tier.objects), own)
        BROUGHT(brings(tier, name, tier.account))


@claim("rbac-namespaced-mode")
@needs("box")
def test_bound_to_one_namespace_the_rules_are_the_same(
    tiers_as_rendered: Mapping[str, Box], kube: Kube
) -> None:
    """What lives outside namespaces is left out: no Role can give it."""
    default, bound = (tiers_as_rendered[each] for each in ("default", "namespaced"))
    inside = {(each.group, each.name) for each in discover(kube) if each.namespaced}

    def rights(tier: Box, objects: Sequence[Object]) -> set[str]:
        return {said(each) for each in brought(kube, tier.user, objects) if within(each, inside)}

    def differ(asked: str, objects: Sequence[Object]) -> list[str]:
        return observe("differs", asked, sorted(rights(default, default.objects) ^ rights(bound, objects)))

    fewer = [each for each in bound.objects if each["kind"] != "RoleBinding"]
    with control("one right more, and no binding, are seen"):
        THE_SAME.fails(differ("one right more", gives(bound, bound.account)))
        THE_SAME.fails(differ("no binding", fewer))
    THE_SAME(differ("as it is", bound.objects))


def within(question: Question, inside: set[tuple[str, str]]) -> bool:
    """Return whether a question is about something that lives in namespaces."""
    below = f"/{question.subresource}" if question.subresource else ""
    return (question.group, f"{question.resource}{below}") in inside


def said(question: Question) -> str:
    """Return verb, resource and name of a question, without its namespace."""
    return f"{question.verb} {what(question)} {question.name}".rstrip()
