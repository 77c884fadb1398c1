"""What was reviewed is what there is: the golden files; and the rules bound to one namespace alone."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import pytest

from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import Tier
from boxproof.kube.access_reviews import READS, Question, listing
from boxproof.kube.client import Kube, Object
from boxproof.kube.rules import in_force
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from suites.rbac import rights
from suites.rbac.conftest import Bound
from suites.rbac.rights import allowed, from_rules, spaces
from suites.rbac.test_reader import READABLE

AS_REVIEWED = require("what it may do is what was reviewed, line by line", lambda drift: drift == [])
ENDS_THERE = require("outside its namespace it reads nothing", lambda yes: yes == [])
READS_ITS_OWN = require("it lists the pods of its own namespace", lambda yes: yes != [])


@pytest.fixture
def namespaced(subject: Subject, tier: Tier, kube: Kube) -> Box:
    """The tier whose rules are bound to its own namespace."""
    if not subject.tiers.get("namespaced"):
        pytest.skip("the subject has no namespaced tier")
    made = tier(*subject.tiers["namespaced"], ready=False)
    in_force(kube, made.user)
    return made


@claim("rbac-golden-audit")
@pytest.mark.parametrize(
    ("tier_name", "made"), [("default", "reader"), ("operator", "operator"), ("namespaced", "namespaced")]
)
def test_each_tier_may_what_was_reviewed(
    subject: Subject, kube: Kube, bound: Bound, request: pytest.FixtureRequest, tier_name: str, made: str
) -> None:
    golden = subject.path(f"{subject.roles.golden}/{tier_name}.txt")
    assert golden, f"no golden file of tier {tier_name!r}: what it may do was never reviewed"
    reviewed = [line for line in golden.read_text().splitlines() if line and not line.startswith("#")]
    assert [line for line in reviewed if line.startswith("pods [")]
    box: Box = request.getfixturevalue(made)

    def drift(user: str, objects: Sequence[Object], expected: list[str]) -> list[str]:
        now = listing(rights.whole_api(kube, user, objects, box.namespace), box.namespace)
        lines = difflib.unified_diff(expected, now, "reviewed", "allowed now", n=0, lineterm="")
        return observe("drift", user, list(lines))

    with control("one right more, of one name in another namespace, is a difference"):
        AS_REVIEWED.fails(drift(bound("", "configmaps", ("update",), ("one",)), [], []))
    AS_REVIEWED(drift(box.user, box.objects, reviewed))


@claim("rbac-namespaced-mode")
def test_the_rules_can_be_bound_to_one_namespace(
    namespaced: Box, reader: Box, kube: Kube, bound: Bound
) -> None:
    own = [Question.of("list", "pods", namespaced.namespace)]
    others = [each for each in spaces(kube) if each != namespaced.namespace]
    asked = [Question.of(verb, each, place) for each in READABLE for verb in READS for place in others]

    def elsewhere(user: str, objects: Sequence[Object]) -> list[str]:
        named = [each for each in from_rules(kube, user, objects) if each.namespace != namespaced.namespace]
        return allowed(kube, user, [*asked, *named], "elsewhere")

    with control("bound everywhere it reads elsewhere; an account without a right does not read there"):
        ENDS_THERE.fails(elsewhere(reader.user, reader.objects))
        ENDS_THERE.fails(elsewhere(bound("", "configmaps", ("get",), ("one",)), []))
        READS_ITS_OWN.fails(allowed(kube, f"{namespaced.user}-missing", own, "its own"))
    READS_ITS_OWN(allowed(kube, namespaced.user, own, "its own"))
    ENDS_THERE(elsewhere(namespaced.user, namespaced.objects))
