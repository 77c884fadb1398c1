"""Whom the manifests concern beside the agent: nobody; and what the agent itself runs into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from boxproof.agent import login
from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.deployment.cluster_requirements import answers_prompts
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Twins
from boxproof.kube.access_reviews import Answer, Question
from boxproof.kube.client import Kube, Object
from boxproof.kube.network_policies import matches
from boxproof.kube.rules import RBAC, becomes, subjects
from boxproof.probes.pods.helper_pods import applied, unique
from boxproof.probes.pressure import eventually
from boxproof.subject.manifests.pod_specs import pod_spec
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from pytest_claims.faults import Unprovable

DEFAULTS = "kubernetes.io/bootstrapping"
FEEDS_NOBODY = require("no role of the manifests feeds another one", lambda fed: fed == [])
REPLACES_NONE = require("no role or binding of the cluster's own is replaced", lambda names: names == [])
NOBODY_ELSE = require("no binding names anybody but the manifests' own accounts", lambda others: others == [])
UNTOUCHED = require(
    "who has the cluster's role view gets nothing of it", lambda answer: answer is Answer.DENIED
)
SAYS_NOTHING = require(
    "no line of the logs says that the account is forbidden something", lambda lines: lines == []
)


def fed(kube: Kube, objects: Sequence[Object], asked: str) -> list[str]:
    """Return which roles of the cluster take over rules of the roles among ``objects``; an observation."""
    roles = [each for each in objects if each["kind"] == "ClusterRole"]
    found = [
        f"{each['metadata']['name']} -> {other['metadata']['name']}"
        for other in kube.list("ClusterRole")
        for selector in (other.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
        for each in roles
        if matches(selector, each["metadata"].get("labels") or {})
        and other["metadata"]["name"] not in {role["metadata"]["name"] for role in roles}
    ]
    return observe("fed roles", asked, sorted(set(found)))


def replaced(kube: Kube, objects: Sequence[Object], asked: str) -> list[str]:
    """Return which objects of the cluster's own have the name of one among ``objects``; an observation."""
    kinds = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
    own = {
        (kind, each["metadata"].get("namespace", ""), each["metadata"]["name"])
        for kind in kinds
        for each in kube.list(kind)
        if DEFAULTS in (each["metadata"].get("labels") or {})
    }
    names = {
        (each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in objects
    }
    return observe("replaced", asked, sorted("/".join(filter(None, each)) for each in own & names))


def others(objects: Sequence[Object], asked: str) -> list[str]:
    """Return everyone whom bindings name and who is no account of the same objects; an observation.

    That is an account they bring, or the one that a pod of theirs runs as.
    """
    accounts = {
        ("ServiceAccount", each["metadata"].get("namespace", ""), each["metadata"]["name"])
        for each in objects
        if each["kind"] == "ServiceAccount"
    }
    for each in objects:
        if spec := pod_spec(each):
            name = str(spec.get("serviceAccountName", "default"))
            accounts.add(("ServiceAccount", each["metadata"].get("namespace", ""), name))
    return observe(
        "others", asked, sorted("/".join(filter(None, each)) for each in set(subjects(objects)) - accounts)
    )


def wrong_objects() -> list[Object]:
    """Return manifests that do all of it: a role for everybody, one that feeds view, and view itself."""
    rule = {"apiGroups": ["boxproof.dev"], "resources": ["canaries"], "verbs": ["get"]}
    role = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "rules": [rule]}
    feeding: dict[str, Any] = {"name": unique("feeds-view")}
    feeding["labels"] = {f"{RBAC}/aggregate-to-view": "true"}
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": unique("everybody")},
    }
    everybody = {"apiGroup": RBAC, "kind": "Group", "name": "system:serviceaccounts"}
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": feeding["name"]}
    return [
        role | {"metadata": feeding},
        role | {"metadata": {"name": "view"}},
        binding | {"roleRef": reference, "subjects": [everybody]},
    ]


@claim("rbac-nobody-elses-rights")
def test_the_manifests_name_nobody_else(reader: Box, kube: Kube, rendered: list[Object]) -> None:
    with control("a role that feeds view, one that replaces it, and a binding for all accounts are seen"):
        wrong = wrong_objects()
        FEEDS_NOBODY.fails(fed(kube, wrong[:1], "a decoy"))
        REPLACES_NONE.fails(replaced(kube, wrong, "a decoy"))
        NOBODY_ELSE.fails(others(wrong, "a decoy"))
    FEEDS_NOBODY(fed(kube, reader.objects, reader.label))
    REPLACES_NONE(replaced(kube, rendered, "the manifests"))
    NOBODY_ELSE(others(reader.objects, reader.label))


@claim("rbac-nobody-elses-rights")
def test_who_has_view_gets_nothing_of_it(reader: Box, kube: Kube, aside: str) -> None:
    user = f"boxproof:{unique('viewer')}"
    subject = {"apiGroup": RBAC, "kind": "User", "name": user}
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}
    meta = {"name": unique("viewer"), "namespace": aside}
    binding = {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": meta}
    fresh = Question.of("get", "nodes", aside)  # the agent's, and no part of view: nodes are in no namespace
    canary, view = Question.of("get", "canaries.boxproof.dev", aside), Question.of("get", "pods", aside)
    with applied(kube, binding | {"roleRef": reference, "subjects": [subject]}):
        with control("a role that feeds view reaches them"), applied(kube, wrong_objects()[0]):
            assert becomes(kube, user, view, Answer.ALLOWED) is Answer.ALLOWED
            UNTOUCHED.fails(becomes(kube, user, canary, Answer.ALLOWED))
        UNTOUCHED(becomes(kube, user, fresh, Answer.DENIED))


def complaints(box: Box) -> list[str]:
    """Return the lines of all logs in a box's namespace that say its account is forbidden; an observation."""
    texts = [
        box.kube.logs(box.namespace, pod["metadata"]["name"], container["name"])
        for pod in box.kube.list("Pod", box.namespace)
        for part in ("initContainerStatuses", "containerStatuses")
        for container in pod["status"].get(part) or []
        if "waiting" not in container.get("state", {})
    ]
    lines = [each for text in texts for each in text.splitlines()]
    if not lines:
        raise Unprovable("it has no log at all")
    return observe(
        "is forbidden",
        box.label,
        [each for each in lines if "forbidden" in each.lower() and box.user in each],
    )


REFUSED = 'Error from server (Forbidden): secrets is forbidden: User "{}" cannot list resource "secrets"'


@claim("rbac-no-forbidden-lines")
def test_the_box_runs_into_no_missing_right(
    make_box: MakeBox, session: Session, subject: Subject, twin: Twins
) -> None:
    box = make_box()
    if answers_prompts(session, subject):
        assert box.exec([subject.image.cli, *login.PROMPT], timeout=120).ok
    SAYS_NOTHING(complaints(box))
    with control("a container of the namespace that logs such a line is seen"):
        words = ["sh", "-c", 'echo "$0"; exec sleep 3600', REFUSED.format(box.user)]
        twin(namespace=box.namespace, labels={"role": "complains"}, command=words, fresh=True)
        eventually(lambda: complaints(box), timeout=30, what="its line is in the log")
        SAYS_NOTHING.fails(complaints(box))


AS_SHIPPED_SAYS_NOTHING = require(
    "as it is shipped, no line of its logs says that the account is forbidden something",
    lambda lines: lines == [],
)


@claim("rbac-no-forbidden-lines")
def test_the_box_as_shipped_runs_into_no_missing_right(shipped_once: Box, twin: Twins) -> None:
    """In its default mode it starts another program than the mode that answers prompts here."""
    AS_SHIPPED_SAYS_NOTHING(complaints(shipped_once))
    with control("a container of the namespace that logs such a line is seen"):
        words = ["sh", "-c", 'echo "$0"; exec sleep 3600', REFUSED.format(shipped_once.user)]
        twin(namespace=shipped_once.namespace, labels={"role": "complains"}, command=words, fresh=True)
        eventually(lambda: complaints(shipped_once), timeout=30, what="its line is in the log")
        AS_SHIPPED_SAYS_NOTHING.fails(complaints(shipped_once))
