"""Who the agent is: an account of its own, the one its bindings name, with rules that mean something."""

from __future__ import annotations

from boxproof.agent.kubectl import kubectl
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import Access
from boxproof.kube.client import Kube
from boxproof.kube.rbac.access_reviews import Answer, Question, discover, questions_of
from boxproof.kube.rbac.audit import ADMIN, audit
from boxproof.kube.rbac.rules import grants, subjects, wildcards
from pytest_claims import claim, control, observe

BOUND = "system:serviceaccount:kube-system:deployment-controller"  # Kubernetes itself binds it, everywhere


@claim("rbac-no-wildcards")
def test_no_rule_has_a_wildcard(either: Box, kube: Kube, access: Access) -> None:
    everything = Question(verb="*", resource="*", group="*")
    with control("the administrators' rules have wildcards, and they may do everything"):
        assert wildcards(kube, *ADMIN)
        assert access(ADMIN[0], [everything], ADMIN[1])[everything] is Answer.ALLOWED
    assert [each for each in grants(kube, either.user) if each.own]
    assert wildcards(kube, either.user) == []
    assert access(either.user, [everything])[everything] is Answer.DENIED


@claim("rbac-dedicated-sa")
def test_the_pod_has_an_account_of_its_own_and_the_default_one_is_powerless(box: Box, kube: Kube) -> None:
    resources = discover(kube)
    every = [*questions_of(resources), *questions_of(resources, namespace=box.namespace)]
    default = f"system:serviceaccount:{box.namespace}:default"
    with control("an account that is bound to a role is seen to go beyond everyone who is signed in"):
        assert audit(kube, BOUND, [Question.of("list", "deployments.apps")]).beyond
    assert box.pod_object()["spec"]["serviceAccountName"] != "default"
    found = audit(kube, default, every)
    assert found.asked >= 500
    assert (found.unclear, found.beyond) == ((), frozenset())
    assert [each for each in grants(kube, default) if each.own] == []


@claim("rbac-subject-exists-and-matches")
def test_the_bindings_name_the_account_the_pod_runs_as(reader: Box, kube: Kube, access: Access) -> None:
    named, pods = subjects(reader.objects), Question.of("list", "pods", reader.namespace)
    with control("an account with a typing error does not exist, and every answer about it is no"):
        wrong = f"{reader.account}-missing"
        assert not exists(kube, reader.namespace, wrong)
        assert set(access(f"{reader.user}-missing", [pods]).values()) == {Answer.DENIED}
    assert named
    assert set(named) == {(reader.namespace, reader.account)}
    assert exists(kube, reader.namespace, reader.account)
    assert access(reader.user, [pods])[pods] is Answer.ALLOWED
    told = kubectl(reader.wait_ready(), "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
    assert told.stdout == reader.user, told


def exists(kube: Kube, namespace: str, name: str) -> bool:
    """Return whether there is a ServiceAccount of that name, and record it."""
    found = kube.find("ServiceAccount", name, namespace) is not None
    return observe("account", f"{namespace}/{name}", found)


@claim("rbac-rules-name-real-resources")
def test_the_rules_name_what_the_api_has(either: Box, kube: Kube) -> None:
    known = {(each.group, each.name) for each in discover(kube)}
    with control("a subresource that nobody serves is not found"):
        assert not observe(
            "discovery", "apps deployments/invented", ("apps", "deployments/invented") in known
        )
    assert observe("discovery", "apps deployments/scale", ("apps", "deployments/scale") in known)
    own = [each for each in grants(kube, either.user) if each.own]
    named = {pair for each in own for rule in each.rules for pair in rule.pairs()}
    assert named
    assert sorted(named - known) == []
