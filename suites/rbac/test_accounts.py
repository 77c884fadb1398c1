"""Who the agent is: an account of its own, the one its bindings name, with rules that mean something."""

from __future__ import annotations

from collections.abc import Sequence

from boxproof.agent.agent_tools import kubectl
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import Access
from boxproof.fixtures.factories import Twins
from boxproof.kube.access_reviews import ADMIN, Answer, Question, discover
from boxproof.kube.client import Kube, Object
from boxproof.kube.rules import Grant, given, grants, subjects
from boxproof.probes.pods.helper_pods import unique
from pytest_claims import claim, control, needs, observe, require
from pytest_claims.recording.observations import record
from suites.rbac import rights
from suites.rbac.conftest import Bound, decoy, lent

NO_WILDCARD = require("no role that reaches it has a wildcard", lambda roles: roles == [])
NOT_EVERYTHING = require("it may not do everything", lambda answer: answer is Answer.DENIED)
OF_ITS_OWN = require("the pod names an account of its own", lambda name: name not in ("", "default"))
POWERLESS = require("it may do nothing beyond everyone who is signed in", lambda beyond: beyond == [])
NAMES_IT_ALONE = require(
    "the bindings name the pod's account and nobody else", lambda named, wanted: named == [wanted]
)
EXISTS = require("the account that the bindings name is there", lambda found: found is True)
IN_FORCE = require("the right that the bindings give is in force", lambda answer: answer is Answer.ALLOWED)
RUNS_AS = require("the API server knows the pod's kubectl as {}", lambda told, user: told == user)
WHOAMI = ("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
SERVED = require("discovery knows every pair that the rules name", lambda unknown: unknown == [])


def wildcards(kube: Kube, user: str, found: Sequence[Grant]) -> list[str]:
    """Return the roles with a wildcard among grants; an observation."""
    return observe(
        "wildcards",
        user,
        sorted(each.role for each in found if any(rule.has_wildcard for rule in each.rules)),
    )


@claim("rbac-no-wildcards")
def test_no_rule_has_a_wildcard(either: Box, kube: Kube, access: Access) -> None:
    everything = Question(verb="*", resource="*", group="*")
    with control("the administrators' rules have wildcards, and they may do everything"):
        NO_WILDCARD.fails(wildcards(kube, ADMIN[0], grants(kube, *ADMIN)))
        NOT_EVERYTHING.fails(access(ADMIN[0], [everything], ADMIN[1])[everything])
    found = grants(kube, either.user)
    assert [each for each in found if each.own] or not binds(either.objects), "no binding names the account"
    NO_WILDCARD(wildcards(kube, either.user, found))
    NOT_EVERYTHING(access(either.user, [everything])[everything])


def binds(objects: Sequence[Object]) -> bool:
    """Return whether a box gives its account any right: one without is not at fault for having none."""
    return any(each["kind"] in ("RoleBinding", "ClusterRoleBinding") for each in objects)


def account_of(pod: Object, label: str) -> str:
    """Return the account a pod names; an observation."""
    return observe("account of a pod", label, str(pod["spec"].get("serviceAccountName", "")))


def beyond(kube: Kube, user: str, objects: Sequence[Object], namespace: str) -> list[str]:
    """Return what an account may do beyond everyone who is signed in, asked of the whole API."""
    made = rights.whole_api(kube, user, objects, namespace)
    return observe("beyond everyone", user, sorted(str(each) for each in made.beyond))


@claim("rbac-dedicated-sa")
def test_the_pod_has_an_account_of_its_own_and_the_default_one_is_powerless(
    box: Box, kube: Kube, twin: Twins, bound: Bound
) -> None:
    default = f"system:serviceaccount:{box.namespace}:default"
    with control("a pod that names none has the default one; one right in one place is seen"):
        other = twin()
        OF_ITS_OWN.fails(account_of(kube.get("Pod", other.name, other.namespace), other.label))
        POWERLESS.fails(beyond(kube, bound("", "configmaps", ("get",), ("one",)), [], box.namespace))
    OF_ITS_OWN(account_of(box.pod_object(), box.label))
    POWERLESS(beyond(kube, default, box.objects, box.namespace))


def named(objects: Sequence[Object], asked: str) -> list[tuple[str, str, str]]:
    """Return kind, namespace and name of everyone that bindings name, each once; an observation."""
    found = sorted(set(subjects(objects)))
    record("subjects", asked, found)
    return found


@claim("rbac-subject-exists-and-matches")
def test_the_bindings_name_the_account_the_pod_runs_as(reader: Box, kube: Kube, access: Access) -> None:
    own = rights.from_rules(kube, reader.user, reader.objects)
    given_to_it = own[0] if own else Question.of("list", "pods", reader.namespace)
    mine = ("ServiceAccount", reader.namespace, reader.account)
    wrong = f"{reader.account}-missing"
    with control(
        "an account with a typing error is not there; who is no account of the cluster's may nothing"
    ):
        NAMES_IT_ALONE.fails(
            named(decoy(wrong, reader.namespace, "", "pods", ("list",), ()), "a decoy"), mine
        )
        EXISTS.fails(exists(kube, reader.namespace, wrong))
        IN_FORCE.fails(access(unique("nobody"), [given_to_it])[given_to_it])
    NAMES_IT_ALONE(named(reader.objects, reader.label), mine)
    EXISTS(exists(kube, reader.namespace, reader.account))
    IN_FORCE(access(reader.user, [given_to_it])[given_to_it])


@claim("rbac-subject-exists-and-matches")
@needs("tools")
def test_the_kubectl_of_the_pod_is_that_account(reader: Box, kube: Kube, bound: Bound) -> None:
    box = reader.wait_ready()

    def known_as(env: dict[str, str] | None = None) -> str:
        return observe("known as", "kubectl in the pod", kubectl(box, *WHOAMI, env=env).stdout)

    with control("with another account's token it is another user"):
        other = bound("", "configmaps", ("get",), ())
        RUNS_AS.fails(known_as(lent(box, kube, other)), reader.user)
    RUNS_AS(known_as(), reader.user)


def exists(kube: Kube, namespace: str, name: str) -> bool:
    """Return whether there is a ServiceAccount of that name, and record it."""
    found = kube.find("ServiceAccount", name, namespace) is not None
    return observe("account", f"{namespace}/{name}", found)


def unserved(kube: Kube, user: str, objects: Sequence[Object] = ()) -> list[str]:
    """Return the pairs in the rules of ``user`` that discovery does not know; an observation."""
    known = {(each.group, each.name) for each in discover(kube)}
    found = given(grants(kube, user), objects)
    pairs = {pair for each in found for rule in each.rules for pair in rule.pairs()}
    assert pairs, "its rules name nothing"
    shown = sorted(f"{resource}.{group}".rstrip(".") for group, resource in pairs - known)
    return observe("not served", user, shown)


@claim("rbac-rules-name-real-resources")
def test_the_rules_name_what_the_api_has(either: Box, kube: Kube, bound: Bound) -> None:
    with control("a subresource that nobody serves is not found"):
        SERVED.fails(unserved(kube, bound("apps", "deployments/invented", ("get",), ())))
    SERVED(unserved(kube, either.user, either.objects))
