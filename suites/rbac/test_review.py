"""What was reviewed is what there is: the golden files; and the rules bound to one namespace alone."""

from __future__ import annotations

import difflib

import pytest

from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import Access, Tier
from boxproof.kube.client import Kube
from boxproof.kube.rbac.access_reviews import Answer, Question, discover, questions_of
from boxproof.kube.rbac.audit import audit, listing
from boxproof.kube.rbac.rules import in_force
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe


@pytest.fixture
def namespaced(subject: Subject, tier: Tier, kube: Kube) -> Box:
    """The tier whose rules are bound to its own namespace."""
    if not subject.tiers.get("namespaced"):
        pytest.skip("the subject has no namespaced tier")
    made = tier(*subject.tiers["namespaced"], ready=False)
    in_force(kube, made.user)
    return made


UNBOUND = "system:serviceaccount:default:nobody-bound-this-one"


@claim("rbac-golden-audit")
@pytest.mark.parametrize(
    ("tier_name", "made"), [("default", "reader"), ("operator", "operator"), ("namespaced", "namespaced")]
)
def test_each_tier_may_what_was_reviewed(
    subject: Subject, kube: Kube, request: pytest.FixtureRequest, tier_name: str, made: str
) -> None:
    golden = subject.path(f"{subject.roles.golden}/{tier_name}.txt")
    assert golden, f"no golden file of tier {tier_name!r}: what it may do was never reviewed"
    reviewed = [line for line in golden.read_text().splitlines() if line and not line.startswith("#")]
    assert [line for line in reviewed if line.startswith("pods [")]
    box: Box = request.getfixturevalue(made)
    resources = discover(kube)
    asked = [*questions_of(resources), *questions_of(resources, namespace=box.namespace)]
    with control("an account nobody bound to anything may none of it"):
        nothing = audit(kube, UNBOUND, asked)
        assert observe("allowed", "an account without bindings", listing(nothing)) == []
    found = audit(kube, box.user, asked)
    assert found.unclear == ()
    allowed = observe("allowed", tier_name, listing(found))
    changes = list(difflib.unified_diff(reviewed, allowed, "reviewed", "allowed now", n=0, lineterm=""))
    assert not changes, "\n".join(changes)


@claim("rbac-namespaced-mode")
def test_the_rules_can_be_bound_to_one_namespace(namespaced: Box, reader: Box, access: Access) -> None:
    own = Question.of("list", "pods", namespaced.namespace)
    elsewhere = [
        Question.of("list", "pods"),
        Question.of("list", "pods", "kube-system"),
        Question.of("get", "nodes"),
    ]
    with control("bound everywhere, it may read elsewhere"):
        assert set(access(reader.user, elsewhere).values()) == {Answer.ALLOWED}
    assert access(namespaced.user, [own])[own] is Answer.ALLOWED
    answers = access(namespaced.user, elsewhere)
    assert [str(each) for each, answer in answers.items() if answer is not Answer.DENIED] == []
