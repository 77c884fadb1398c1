"""What neither tier may: secrets, roles, whatever leads to them, and changes beyond the operator's few."""

from __future__ import annotations

from collections.abc import Iterable

from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import Access
from boxproof.kube.client import Kube
from boxproof.kube.rbac.access_reviews import Answer, Question, discover, questions_of
from boxproof.kube.rbac.audit import ADMIN, Audit, audit
from boxproof.kube.rbac.rules import RBAC, grants, places
from pytest_claims import claim, control

WRITES = ("create", "update", "patch", "delete", "deletecollection")
ROLES = tuple(f"{each}.{RBAC}" for each in ("roles", "clusterroles", "rolebindings", "clusterrolebindings"))
PERSONS = (
    "users",
    "groups",
    "serviceaccounts",
    "uids.authentication.k8s.io",
    "userextras.authentication.k8s.io/x",
)
WORKLOADS = (
    "pods", "replicationcontrollers", "deployments.apps", "statefulsets.apps", "daemonsets.apps",
    "replicasets.apps", "jobs.batch", "cronjobs.batch",
)  # fmt: skip
LASTING = ("namespaces", "nodes", "persistentvolumes", "customresourcedefinitions.apiextensions.k8s.io")
OPERATOR = {
    "create": {"pods/exec"},
    "delete": {"pods"},
    "patch": {"deployments.apps", "statefulsets.apps", "daemonsets.apps"},
}


def all_denied(access: Access, user: str, questions: Iterable[Question]) -> None:
    """Show that the administrators may everything that is asked, and ``user`` nothing."""
    asked = list(questions)
    assert asked
    with control("the administrators may all of it"):
        assert set(access(ADMIN[0], asked, ADMIN[1]).values()) == {Answer.ALLOWED}
    answers = access(user, asked)
    assert [f"{each}: {answer}" for each, answer in answers.items() if answer is not Answer.DENIED] == []


@claim("rbac-no-secrets")
def test_no_secret_in_any_namespace(either: Box, kube: Kube, access: Access) -> None:
    found = grants(kube, either.user)
    verbs = ("get", "list", "watch", *WRITES)
    asked = [
        Question.of(verb, "secrets", place) for verb in verbs for place in places(found, either.namespace)
    ]
    named = [each["metadata"] for each in kube.list("Secret")]
    asked += [Question.of("get", "secrets", each["namespace"], each["name"]) for each in named]
    all_denied(access, either.user, asked)
    assert [each.role for each in found for rule in each.rules if rule.touches("", "secrets")] == []


@claim("rbac-no-rbac-mutation")
def test_no_roles_no_bindings_no_impersonation(either: Box, kube: Kube, access: Access) -> None:
    where = places(grants(kube, either.user), either.namespace)
    verbs = (*WRITES, "bind", "escalate")
    asked = [Question.of(verb, each, place) for each in ROLES for verb in verbs for place in where]
    asked += [Question.of("impersonate", each, place) for each in PERSONS for place in where]
    all_denied(access, either.user, asked)


@claim("rbac-no-indirect-escalation")
def test_the_reader_has_no_way_round(reader: Box, kube: Kube, access: Access) -> None:
    where = places(grants(kube, reader.user), reader.namespace)
    ways = [(verb, each) for each in WORKLOADS for verb in ("create", "update", "patch")]
    ways += [(verb, "pods/ephemeralcontainers") for verb in ("update", "patch")]
    ways += [("create", "serviceaccounts/token"), ("get", "nodes/proxy"), ("create", "nodes/proxy")]
    all_denied(access, reader.user, [Question.of(*way, place) for way in ways for place in where])


@claim("rbac-no-indirect-escalation")
def test_the_operator_makes_no_pods_and_no_tokens(operator: Box, kube: Kube, access: Access) -> None:
    where = places(grants(kube, operator.user), operator.namespace)
    ways = [("create", each) for each in WORKLOADS]
    ways += [("create", "serviceaccounts/token"), ("get", "nodes/proxy"), ("create", "nodes/proxy")]
    all_denied(access, operator.user, [Question.of(*way, place) for way in ways for place in where])


def whole_api(kube: Kube, box: Box) -> Audit:
    """Ask about every verb of everything the API has, in the box's namespace and for all of them."""
    with control("the administrators may delete what lasts"):
        lasting = [Question.of("delete", each) for each in LASTING]
        assert len(audit(kube, ADMIN[0], lasting, ADMIN[1]).beyond) == len(LASTING)
    resources = discover(kube)
    found = audit(
        kube, box.user, [*questions_of(resources), *questions_of(resources, namespace=box.namespace)]
    )
    assert found.asked >= 500
    assert found.unclear == ()
    assert found.beyond, "nothing is allowed: not the account that is bound"
    return found


@claim("rbac-no-destructive")
def test_the_reader_changes_nothing(reader: Box, kube: Kube) -> None:
    assert whole_api(kube, reader).changes == {}


@claim("rbac-no-destructive")
def test_the_operator_changes_only_what_it_is_there_for(operator: Box, kube: Kube) -> None:
    changes = whole_api(kube, operator).changes
    assert {verb: set(many) - OPERATOR.get(verb, set()) for verb, many in changes.items()} == {
        verb: set() for verb in changes
    }
