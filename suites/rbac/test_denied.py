"""What neither tier may: secrets, roles, whatever leads to them, and changes beyond the operator's few.

Each account's own rules are read, in every namespace, and become questions, beside those asked of any.
"""

from __future__ import annotations

from collections.abc import Iterable

from boxproof.deployment.box import Box
from boxproof.kube.access_reviews import ADMIN, Question
from boxproof.kube.client import Kube, Object
from boxproof.kube.rules import RBAC, about, about_roles, changing
from pytest_claims import claim, control, require
from suites.rbac import rights
from suites.rbac.conftest import Bound
from suites.rbac.rights import allowed, from_rules, spaces
from suites.rbac.test_accounts import binds

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
OPERATOR = {
    "create": {"pods/exec"},
    "delete": {"pods"},
    "patch": {"deployments.apps", "statefulsets.apps", "daemonsets.apps"},
}
LEAD_ON = (
    ("create", "serviceaccounts/token"), ("get", "nodes/proxy"), ("create", "nodes/proxy"),
    ("approve", "signers.certificates.k8s.io"), ("sign", "signers.certificates.k8s.io"),
    ("update", "certificatesigningrequests.certificates.k8s.io/approval"),
    ("create", "mutatingwebhookconfigurations.admissionregistration.k8s.io"),
    ("patch", "namespaces"),
)  # fmt: skip

NO_SECRET = require("it may do nothing with any secret", lambda yes: yes == [])
NO_ROLE = require("it changes no role and no binding, and speaks for nobody", lambda yes: yes == [])
NO_WAY_ROUND = require("nothing it may do leads to secrets by another way", lambda yes: yes == [])
CHANGES_NOTHING = require("it changes nothing", lambda changes: changes == {})
NOTHING_ELSE = require("it changes nothing but what it is there for", lambda changes: changes == {})


def of_secrets(kube: Kube, user: str, objects: Iterable[Object] = ()) -> list[str]:
    """Return what ``user`` may do with secrets: of any name, of each there is, and of those in its rules."""
    named = [each["metadata"] for each in kube.list("Secret")]
    asked = [
        Question.of(verb, "secrets", place)
        for verb in (*WRITES, "get", "list", "watch")
        for place in spaces(kube)
    ]
    asked += [
        Question.of(verb, "secrets", each["namespace"], each["name"])
        for each in named
        for verb in ("get", "update", "patch", "delete")
    ]
    own = [each for each in from_rules(kube, user, list(objects)) if about(each, "secrets", "secrets/*")]
    return allowed(kube, user, [*asked, *own], "secrets")


@claim("rbac-no-secrets")
def test_no_secret_in_any_namespace(either: Box, kube: Kube, bound: Bound) -> None:
    with control("an account that may get one secret, of a name nobody has yet, in one namespace of its own"):
        NO_SECRET.fails(of_secrets(kube, bound("", "secrets", ("get",), ("of-this-name-alone",))))
    NO_SECRET(of_secrets(kube, either.user, either.objects))


def of_roles(kube: Kube, user: str, objects: Iterable[Object] = ()) -> list[str]:
    """Return which roles and bindings ``user`` may change, and for whom it may speak."""
    verbs, where = (*WRITES, "bind", "escalate"), spaces(kube)
    asked = [Question.of(verb, each, place) for each in ROLES for verb in verbs for place in where]
    asked += [Question.of("impersonate", each) for each in PERSONS]
    own = [each for each in from_rules(kube, user, list(objects)) if about_roles(each)]
    return allowed(kube, user, [*asked, *own], "roles")


@claim("rbac-no-rbac-mutation")
def test_no_roles_no_bindings_no_impersonation(either: Box, kube: Kube, bound: Bound) -> None:
    with control("an account that may rewrite one role, by its name"):
        NO_ROLE.fails(of_roles(kube, bound(RBAC, "roles", ("update", "escalate"), ("its-own-role",))))
    NO_ROLE(of_roles(kube, either.user, either.objects))


def ways_round(kube: Kube, user: str, ways: Iterable[tuple[str, str]], own: Iterable[Question]) -> list[str]:
    """Return which of the ways, or of an account's own changes, are open to ``user``."""
    where = spaces(kube)
    asked = [Question.of(*way, place) for way in ways for place in where]
    return allowed(kube, user, [*asked, *own], "ways round")


@claim("rbac-no-indirect-escalation")
def test_the_reader_has_no_way_round(reader: Box, kube: Kube, bound: Bound) -> None:
    ways = [(verb, each) for each in WORKLOADS for verb in ("create", "update", "patch")]
    ways += [(verb, "pods/ephemeralcontainers") for verb in ("update", "patch")]
    ways += LEAD_ON

    def open_to(user: str, objects: Iterable[Object] = ()) -> list[str]:
        return ways_round(kube, user, ways, changing(from_rules(kube, user, list(objects))))

    with control("an account that may ask for the token of one other account"):
        NO_WAY_ROUND.fails(open_to(bound("", "serviceaccounts/token", ("create",), ("another",))))
    NO_WAY_ROUND(open_to(reader.user, reader.objects))


@claim("rbac-no-indirect-escalation")
def test_the_operator_makes_no_pods_and_no_tokens(operator: Box, kube: Kube, bound: Bound) -> None:
    ways = [("create", each) for each in WORKLOADS] + list(LEAD_ON)

    def open_to(user: str, objects: Iterable[Object] = ()) -> list[str]:
        own = [each for each in changing(from_rules(kube, user, list(objects))) if not meant(each)]
        return ways_round(kube, user, ways, own)

    with control("an account that may ask for the token of one other account"):
        NO_WAY_ROUND.fails(open_to(bound("", "serviceaccounts/token", ("create",), ("another",))))
    NO_WAY_ROUND(open_to(operator.user, operator.objects))


def meant(question: Question) -> bool:
    """Return whether a question is about what the operator is there for."""
    if question.verb == "get" and about(question, "pods/exec"):
        return True  # the other half of exec: kubectl asks with GET first
    wanted = OPERATOR.get(question.verb, set())
    return any(about(question, *each.split(".")[:1], group=each.partition(".")[2]) for each in wanted)


@claim("rbac-no-destructive")
def test_the_reader_changes_nothing(reader: Box, kube: Kube, bound: Bound) -> None:
    def changes(user: str, objects: list[Object], namespace: str) -> dict[str, list[str]]:
        return rights.changes(rights.whole_api(kube, user, objects, namespace), user)

    with control("an account that may delete one ConfigMap, by its name, in another namespace"):
        CHANGES_NOTHING.fails(changes(bound("", "configmaps", ("delete",), ("one",)), [], reader.namespace))
    made = rights.whole_api(kube, reader.user, reader.objects, reader.namespace)
    assert made.beyond or not binds(reader.objects), "nothing is allowed: not the account that is bound"
    CHANGES_NOTHING(rights.changes(made, reader.user))


@claim("rbac-no-destructive")
def test_the_operator_changes_only_what_it_is_there_for(operator: Box, kube: Kube, bound: Bound) -> None:
    def changes(user: str, objects: list[Object], namespace: str) -> dict[str, list[str]]:
        made = rights.whole_api(kube, user, objects, namespace)
        assert made.beyond, "nothing is allowed: not the account that is bound"
        return rights.changes(made, user, OPERATOR)

    with control("an account that may delete one Deployment, by its name, in another namespace"):
        NOTHING_ELSE.fails(
            changes(bound("apps", "deployments", ("delete",), ("one",)), [], operator.namespace)
        )
    NOTHING_ELSE(changes(operator.user, operator.objects, operator.namespace))


EVERYTHING_LASTS = require("it deletes nothing that lasts", lambda yes: yes == [])
LASTING = ("namespaces", "nodes", "persistentvolumes", "customresourcedefinitions.apiextensions.k8s.io")


@claim("rbac-no-destructive")
def test_neither_tier_deletes_what_lasts(either: Box, kube: Kube) -> None:
    asked = [Question.of(verb, each) for each in LASTING for verb in ("delete", "deletecollection")]
    asked += [
        Question.of("delete", kind.lower() + "s", "", each["metadata"]["name"])
        for kind in ("Namespace", "Node", "PersistentVolume")
        for each in kube.list(kind)
    ]

    def deletes(user: str, groups: tuple[str, ...] | None, own: Iterable[Question]) -> list[str]:
        mine = [
            each
            for each in own
            if each.verb in WRITES[3:]
            and f"{each.resource}"
            in {"namespaces", "nodes", "persistentvolumes", "customresourcedefinitions"}
        ]
        return allowed(kube, user, [*asked, *mine], "what lasts", groups)

    with control("the administrators may"):
        EVERYTHING_LASTS.fails(deletes(*ADMIN, []))
    EVERYTHING_LASTS(deletes(either.user, None, from_rules(kube, either.user, either.objects)))
