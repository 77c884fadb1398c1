"""The rules of roles: what is written, what follows from it, whom they reach; tokens of such accounts."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import yaml

from boxproof.kube.access_reviews import Answer, Question, groups_of, review
from boxproof.kube.client import Kube, Object
from boxproof.kube.discovery import Resource
from boxproof.kube.network_policies import matches
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.recording.observations import record
from pytest_claims.waiting import NotYet, until

RBAC = "rbac.authorization.k8s.io"
EVERYONE = frozenset({"system:authenticated", "system:unauthenticated", "system:serviceaccounts"})
IN_FORCE = 20.0  # seconds the authorizer gets to hear of a binding; usually it needs a few milliseconds
INSIDE = "https://kubernetes.default.svc"
LASTS = 3600  # seconds
CA = ("kube-root-ca.crt", "ca.crt")  # where every namespace has the cluster's CA


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule of a role."""

    verbs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    @property
    def has_wildcard(self) -> bool:
        """Whether `*` stands among groups, resources or verbs, or for every address that is no resource.

        With what is below every resource ("*/status") it stands among resources too.
        """
        parents = (each.partition("/")[0] for each in self.resources)
        return "*" in (*self.groups, *parents, *self.verbs) or bool({"*", "/*"} & set(self.urls))

    def touches(self, group: str, resource: str) -> bool:
        """Return whether it is about a resource ("secrets", "pods/log"), by name or by wildcard."""
        below = resource.partition("/")[2]
        any_resource = {"*", resource, f"*/{below}" if below else resource}
        return bool({"*", group} & set(self.groups) and any_resource & set(self.resources))

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield each pair of group and resource it names."""
        return ((group, resource) for group in self.groups for resource in self.resources)


@dataclass(frozen=True, kw_only=True)
class Grant:
    """A binding that reaches an account; ``namespace`` "" is everywhere.

    ``own`` says that it names the account, or the accounts of its namespace, and not a group everyone is in.
    """

    binding: str
    role: str
    namespace: str
    own: bool
    rules: tuple[Rule, ...]


def grants(kube: Kube, user: str, groups: Sequence[str] | None = None) -> list[Grant]:
    """Return every binding that reaches ``user``; ``groups`` None means those the API server gives it."""
    member_of = groups_of(user) if groups is None else groups
    kinds = ("ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding")
    found = among([each for kind in kinds for each in kube.list(kind)], user, member_of)
    record("grants", user, sorted(f"{each.binding} -> {each.role}" for each in found))
    return found


def among(objects: Iterable[Object], user: str, groups: Sequence[str]) -> list[Grant]:
    """Return the grants to ``user`` and ``groups`` among ``objects``; a missing role is empty."""
    roles, bindings = {}, []
    for each in objects:
        if each["kind"].endswith("Binding"):
            bindings.append(each)
        else:
            roles[_key(each["kind"], each["metadata"])] = rules_of(each)
    made = []
    for binding in bindings:
        hit = [each for each in binding.get("subjects") or [] if _is(each, binding, user, groups)]
        if hit:
            made.append(_grant(binding, hit, roles))
    return made


def filled(objects: Iterable[Object]) -> list[Object]:
    """Return the objects, each aggregated ClusterRole with the rules that others among them feed it too."""
    every = list(objects)
    return [each | {"rules": list(_fed(each, every, []))} if _selectors(each) else each for each in every]


def _fed(role: Object, every: Sequence[Object], taken: list[Object]) -> Iterator[Mapping[str, Any]]:
    """Yield the rules of a role, then of those that feed it, which may be fed too; each is ``taken`` once."""
    taken.append(role)
    yield from role.get("rules") or ()
    for each in every:
        labels = each["metadata"].get("labels") or {}
        feeds = each["kind"] == "ClusterRole" and any(matches(one, labels) for one in _selectors(role))
        if feeds and each not in taken:
            yield from _fed(each, every, taken)


def _selectors(role: Object) -> Sequence[Mapping[str, Any]]:
    return (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()


def rules_of(role: Object) -> tuple[Rule, ...]:
    """Return the rules of a Role or ClusterRole."""
    names = {"verbs": "verbs", "groups": "apiGroups", "resources": "resources"}
    names |= {"names": "resourceNames", "urls": "nonResourceURLs"}
    return tuple(
        Rule(**{ours: tuple(rule.get(theirs) or ()) for ours, theirs in names.items()})
        for rule in role.get("rules") or []
    )


def places(found: Iterable[Grant], *more: str) -> list[str]:
    """Return the namespaces to ask about: all ("") , ``more``, and those in which a grant holds."""
    return sorted({"", *more, *(each.namespace for each in found)})


def in_force(kube: Kube, user: str) -> list[Grant]:
    """Wait until the authorizer knows the account's own grants, and return all; raises DeadlineExceeded."""
    found = grants(kube, user)
    asked = [question for each in found if each.own and (question := _sample(each)) is not None]

    def look() -> bool:
        answers = review(kube, user, None, asked)
        waiting = [str(each) for each, answer in answers.items() if answer is not Answer.ALLOWED]
        if waiting:
            raise NotYet(", ".join(waiting))
        return True

    until(look, timeout=IN_FORCE, what=f"the grants to {user} are in force")
    return found


def becomes(kube: Kube, user: str, question: Question, wanted: Answer) -> Answer:
    """Return the answer to ``question`` once it is ``wanted``, or what it still is when time is up."""
    last = Answer.ERROR

    def look() -> bool:
        nonlocal last
        last = review(kube, user, None, [question])[question]
        return last is wanted

    with suppress(DeadlineExceeded):
        until(look, timeout=IN_FORCE, what=f"{user}: {question}: {wanted}")
    return last


def subjects(objects: Iterable[Object]) -> list[tuple[str, str, str]]:
    """Return kind, namespace and name of everyone the bindings among ``objects`` name."""
    return [
        (each["kind"], each.get("namespace", ""), each["name"])
        for item in objects
        if item["kind"] in ("RoleBinding", "ClusterRoleBinding")
        for each in item.get("subjects") or []
    ]


def _grant(binding: Object, hit: Sequence[Mapping[str, Any]], roles: Mapping[str, tuple[Rule, ...]]) -> Grant:
    metadata, reference = binding["metadata"], binding["roleRef"]
    namespace = metadata.get("namespace", "")
    inside = {"namespace": namespace} if reference["kind"] == "Role" else {}
    role = _key(reference["kind"], {"name": reference["name"], **inside})
    return Grant(
        binding=_key(binding["kind"], metadata),
        role=role,
        namespace=namespace,
        own=any(each["name"] not in EVERYONE for each in hit),
        rules=roles.get(role, ()),
    )


def _key(kind: str, metadata: Mapping[str, Any]) -> str:
    return "/".join(filter(None, (kind, metadata.get("namespace", ""), metadata["name"])))


def _is(subject: Mapping[str, Any], binding: Object, user: str, groups: Sequence[str]) -> bool:
    name = subject["name"]
    if subject["kind"] == "ServiceAccount":
        namespace = subject.get("namespace") or binding["metadata"].get("namespace", "")
        return user == f"system:serviceaccount:{namespace}:{name}"
    return name == user if subject["kind"] == "User" else name in groups


def _sample(grant: Grant) -> Question | None:
    """Return a question that the grant answers with yes, None if it says nothing about resources."""
    for rule in grant.rules:
        if rule.resources and rule.groups and rule.verbs:
            resource, _, below = rule.resources[0].partition("/")
            return Question(
                verb=rule.verbs[0], resource=resource, group=rule.groups[0], subresource=below,
                namespace=grant.namespace, name=rule.names[0] if rule.names else "",
            )  # fmt: skip
    return None


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
    applied = {_key_of_rule(each) for each in objects if each["kind"].endswith("Binding")}
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


def _key_of_rule(binding: Object) -> str:
    meta = binding["metadata"]
    return "/".join(filter(None, (binding["kind"], meta.get("namespace", ""), meta["name"])))


def token(kube: Kube, namespace: str, account: str) -> str:
    """Return a new token of a service account, which a new namespace has only after a moment."""
    until(lambda: kube.find("ServiceAccount", account, namespace), timeout=30, what=f"account {account}")
    path = kube.path("ServiceAccount", account, namespace) + "/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
    found = kube.post(path, {**body, "spec": {"expirationSeconds": LASTS}})
    return str(found["status"]["token"])


def authority(kube: Kube, namespace: str = "default") -> str:
    """Return the CA of the API server, in PEM."""
    return str(kube.get("ConfigMap", CA[0], namespace)["data"][CA[1]])


def kubeconfig(tokens: Mapping[str, str], ca: str, *, server: str = INSIDE) -> str:
    """Return a kubeconfig with a context, cluster and user for each token, by name; the first is current."""
    names = list(tokens)
    cluster = {"server": server, "certificate-authority-data": b64encode(ca.encode()).decode()}
    made = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": each, "cluster": cluster} for each in names],
        "users": [{"name": each, "user": {"token": tokens[each]}} for each in names],
        "contexts": [{"name": each, "context": {"cluster": each, "user": each}} for each in names],
        "current-context": names[0],
    }
    return yaml.safe_dump(made)
