"""Questions that an account's own rules give: by name, about addresses, and with verbs no discovery lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from boxproof.kube.client import Object
from boxproof.kube.discovery import Resource
from boxproof.kube.rbac.access_reviews import Question
from boxproof.kube.rbac.rules import RBAC, Grant, Rule

ANY = "*"
# https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb, and the
# verbs that rules alone have: bind and escalate, impersonate, approve, sign and attest
ORDINARY = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
VERBS = (*ORDINARY, "bind", "escalate", "impersonate", "approve", "sign", "attest", "use")
# what rules may be about although nothing serves it
UNSERVED = (
    ("", "users"), ("", "groups"), ("", "serviceaccounts"), ("authentication.k8s.io", "userextras/scopes"),
    ("authentication.k8s.io", "uids"), ("certificates.k8s.io", "signers"),
)  # fmt: skip
PATHS = ("/metrics", "/logs/", "/configz", "/debug/pprof/profile")  # what a pattern of addresses may open


def given(found: Iterable[Grant], objects: Iterable[Object]) -> list[Grant]:
    """Return the grants that the subject answers for: its account's own, and those of its bindings.

    A binding of the subject's that names everybody reaches the account as well.
    """
    applied = {_key(each) for each in objects if each["kind"].endswith("Binding")}
    return [each for each in found if each.own or each.binding in applied]


def derived(found: Iterable[Grant], resources: Sequence[Resource]) -> list[Question]:
    """Return what the rules of grants say may be done, as questions; a wildcard stands for all there is.

    An ordinary verb that the API does not serve for a resource opens nothing, and is left out.
    """
    served = {(each.group, each.name): frozenset(each.verbs) for each in resources}
    known = [*served, *(each for each in UNSERVED if each not in served)]
    asked = (each for grant in found for rule in grant.rules for each in _of_rule(rule, grant, known))
    return list(dict.fromkeys(each for each in asked if _opens(each, served)))


def _opens(question: Question, served: Mapping[tuple[str, str], frozenset[str]]) -> bool:
    name = question.resource + (f"/{question.subresource}" if question.subresource else "")
    verbs = served.get((question.group, name))
    return verbs is None or question.verb not in ORDINARY or question.verb in verbs


def changing(questions: Iterable[Question]) -> list[Question]:
    """Return the questions about more than reading: by their verb, or because a stream is opened by GET."""
    return [
        each for each in questions if each.verb not in ("get", "list", "watch") or each.subresource in STREAMS
    ]


STREAMS = frozenset({"exec", "attach", "portforward", "proxy"})


def about(question: Question, *resources: str, group: str = "") -> bool:
    """Return whether a question is about one of ``resources`` ("pods", "pods/exec"; "pods/*" any below)."""
    whole = question.resource + (f"/{question.subresource}" if question.subresource else "")
    below = f"{question.resource}/{ANY}" if question.subresource else whole
    return question.group == group and bool({whole, below} & set(resources))


def about_roles(question: Question) -> bool:
    """Return whether a question is about changing roles and bindings, or speaking for others."""
    return question.verb == "impersonate" or (
        question.group == RBAC and question.verb not in ("get", "list", "watch")
    )


def _of_rule(rule: Rule, grant: Grant, known: Sequence[tuple[str, str]]) -> Iterator[Question]:
    verbs = VERBS if ANY in rule.verbs else rule.verbs
    for url in rule.urls:
        for path in PATHS if url in (ANY, "/*") else (url.replace(ANY, "any"),):
            yield from (Question(verb=verb.lower(), url=path) for verb in verbs)
    for group, resource in _pairs(rule, known):
        parent, _, below = resource.partition("/")
        for verb in verbs:
            for name in rule.names or ("",):
                yield Question(
                    verb=verb, resource=parent, group=group, subresource=below, namespace=grant.namespace,
                    name=name,
                )  # fmt: skip


def _pairs(rule: Rule, known: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of group and resource a rule is about."""
    if ANY in rule.groups or any(each.startswith(ANY) for each in rule.resources):
        yield from (each for each in known if rule.touches(*each))
    for group, resource in rule.pairs():
        if group != ANY and not resource.startswith(ANY):
            yield group, resource
        elif group == ANY and not resource.startswith(ANY) and not any(resource == each[1] for each in known):
            yield "", resource


def _key(binding: Object) -> str:
    meta = binding["metadata"]
    return "/".join(filter(None, (binding["kind"], meta.get("namespace", ""), meta["name"])))
