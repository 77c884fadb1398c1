"""The operator tier elsewhere: where nobody bound it, where somebody did, and what others notice of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import pytest

from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.deployment.deploy import COMPONENTS
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.kube.access_reviews import Question
from boxproof.kube.client import Kube, Object
from boxproof.kube.rules import changing, in_force
from boxproof.probes.pods.helper_pods import applied, unique
from boxproof.subject.manifests.pod_specs import without_pods
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require
from suites.rbac.conftest import Bound, decoy
from suites.rbac.rights import allowed, from_rules, spaces
from suites.rbac.test_denied import OPERATOR
from suites.rbac.test_patches import CHANGES, RESTART, made_of, policies_in_force, policy_of_ours, tried

ENDS_THERE = require("outside the namespace of its binding it changes nothing", lambda yes: yes == [])
REFUSED = require("in another namespace too that patch is refused", lambda ended: ended == "refused")
RESTARTS = require("there it may restart", lambda ended: ended == "admitted")
NOT_HELD = require("what another account changes is admitted", lambda ended: ended == "admitted")
PATCH, POLICY, FAIL = "patch", "ValidatingAdmissionPolicy", "Fail"


@claim("rbac-no-indirect-escalation")
def test_the_operator_ends_at_the_namespace_of_its_binding(operator: Box, kube: Kube, bound: Bound) -> None:
    """Who may exec anywhere has the token of whatever may read Secrets."""
    places = [each for each in spaces(kube) if each != operator.namespace]
    asked = [
        Question.of(verb, each, place) for verb, many in OPERATOR.items() for each in many for place in places
    ]
    asked += [Question.of("get", "pods/exec", place) for place in places]

    def elsewhere(user: str, objects: Sequence[Object]) -> list[str]:
        own = changing(from_rules(kube, user, objects))
        there = [each for each in own if each.namespace != operator.namespace]
        return allowed(kube, user, [*asked, *there], "changes elsewhere")

    with control("an account that may enter one pod of another namespace, by its name"):
        ENDS_THERE.fails(elsewhere(bound("", "pods/exec", ("get",), ("one-pod",)), []))
    ENDS_THERE(elsewhere(operator.user, operator.objects))


@pytest.fixture
def own_operator(make_box: MakeBox, subject: Subject) -> Box:
    """An operator of the check's own, without pods: what it is given more, no other check sees."""
    components = (*COMPONENTS, *subject.tiers["operator"])
    return make_box(components=components, edit=without_pods, ready=False)


@contextmanager
def bound_in(space: str, box: Box, kube: Kube) -> Iterator[None]:
    """Bind what binds the agent in its namespace in another one as well, as the manifests say to."""
    made = []
    for each in box.objects:
        if each["kind"] == "RoleBinding" and each["metadata"]["namespace"] == box.namespace:
            another = copy.deepcopy(each)
            another["metadata"] = {"name": unique("bound"), "namespace": space}
            made.append(another)
    assert made, "no binding of the operator stands in its namespace"
    with applied(kube, *made):
        in_force(kube, box.user)
        yield


@claim("rbac-operator-restarts-only")
@needs("tier:operator")
def test_bound_in_another_namespace_it_changes_no_more_there(
    own_operator: Box, kube: Kube, session: Session, aside: str
) -> None:
    name = unique("patched")
    path = kube.path("Deployment", name, aside)

    def patched(user: str, what: str, body: Object) -> str:
        return observe(
            PATCH, f"{user or 'the administrator'} elsewhere: {what}", tried(kube, path, user, body)
        )

    with (
        applied(kube, made_of("Deployment", name, aside, session.probe_image)),
        bound_in(aside, own_operator, kube),
        policies_in_force(policy_of_ours(name, session.run), partial(tried, kube, path, ""), kube),
    ):
        for what, body in CHANGES.items():
            with control(f"{what}: the administrator may"):
                REFUSED.fails(patched("", what, body))
            REFUSED(patched(own_operator.user, what, body))
        with control("what is refused is seen to be"):
            RESTARTS.fails(patched(own_operator.user, *next(iter(CHANGES.items()))))
        for what, body in RESTART.items():
            RESTARTS(patched(own_operator.user, what, body))


def other_account(space: str, *places: str) -> list[Object]:
    """Return an account of a namespace that may patch Deployments in some, and what gives it that."""
    name = unique("other")
    account, *_ = decoy(name, space, "apps", "deployments", ("get", PATCH), ())
    made = [account]
    for place in places:
        _, role, binding = decoy(name, place, "apps", "deployments", ("get", PATCH), ())
        binding["subjects"][0]["namespace"] = space
        made += [role, binding]
    return made


@claim("rbac-nobody-elses-rights")
@needs("tier:operator")
def test_the_policies_of_the_operator_hold_nobody_else(
    operator: Box, kube: Kube, session: Session, aside: str
) -> None:
    """Another account changes its workloads as before, beside the agent and elsewhere.

    It is of the agent's namespace: a further instance's policy is made to be about no others.
    """
    name, space = unique("patched"), operator.namespace
    paths = {each: kube.path("Deployment", name, each) for each in (space, aside)}
    mine = [made_of("Deployment", name, each, session.probe_image) for each in paths]
    account = other_account(space, *paths)
    user = f"system:serviceaccount:{space}:{account[0]['metadata']['name']}"

    def patched(who: str, where: str, what: str) -> str:
        return observe(PATCH, f"{who} in {where}: {what}", tried(kube, paths[where], who, CHANGES[what]))

    note = partial(tried, kube, paths[space], "")
    with applied(kube, *mine, *account), policies_in_force(policy_of_ours(name, session.run), note, kube):
        in_force(kube, user)
        for what in ("another image", "labels of its own", "a note"):
            with control(f"{what}: the operator's is refused"):
                NOT_HELD.fails(patched(operator.user, space, what))
            for where in paths:
                NOT_HELD(patched(user, where, what))


REFUSES_THEN = require("what no policy can evaluate is refused", lambda found: found == [])


@claim("rbac-operator-restarts-only")
@needs("tier:operator")
def test_what_a_policy_of_the_operator_cannot_evaluate_is_refused(
    tiers_as_rendered: Mapping[str, Box], subject: Subject
) -> None:
    """An expression that fails, or costs too much, would let the patch by."""

    def lets_by(asked: str, objects: Sequence[Object]) -> list[str]:
        every = [each for each in objects if each["kind"] == POLICY]
        found = [
            each["metadata"]["name"] for each in every if each["spec"].get("failurePolicy", FAIL) != FAIL
        ]
        return observe("policies that let by", asked, sorted(found) if every else ["no policy"])

    operators = set(subject.tiers["operator"])
    tiers = {name: each for name, each in tiers_as_rendered.items() if operators <= set(each.components)}
    with control("one that lets by what it cannot evaluate, and no policy at all, are seen"):
        ignoring: Object = {"kind": POLICY, "metadata": {"name": "a"}, "spec": {"failurePolicy": "Ignore"}}
        REFUSES_THEN.fails(lets_by("doctored", [ignoring]))
        REFUSES_THEN.fails(lets_by("none", []))
    for name, each in tiers.items():
        REFUSES_THEN(lets_by(name, each.objects))
